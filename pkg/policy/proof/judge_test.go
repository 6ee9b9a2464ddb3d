package proof_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

func TestSignaturesAreCountedByDistinctSigners(t *testing.T) {
	const three = "authorities: [{name: a, key: {data: x}}, {name: b, key: {data: y}}, {name: c, keyless: {identities: []}}]\n"
	tests := map[string]struct {
		spec       string
		signatures []string
		rejected   []proof.Rejection
		want       string // reasons, joined; empty where satisfied
	}{
		"any of them suffices":       {three, []string{"b by k2"}, nil, ""},
		"nobody signed":              {three, nil, nil, `not signed by any authority (key "a", key "b", identity "c"): it has no signatures`},
		"a stranger signed":          {three, []string{"x by k9"}, nil, `not signed by any authority (key "a", key "b", identity "c"): it has signatures by others only`},
		"what was rejected and why":  {three, nil, []proof.Rejection{{Reason: "signed by another key", Authority: "a"}, {Reason: "is broken"}, {Reason: "is broken", Authority: "b"}}, `not signed by any authority: key "a": is broken; signed by another key; key "b": is broken; identity "c": is broken`},
		"many rejections are cut":    {"authorities: [{name: a, key: {data: x}}]", nil, []proof.Rejection{{Reason: "r5"}, {Reason: "r1"}, {Reason: "r2"}, {Reason: "r3"}, {Reason: "r4"}}, `not signed by any authority (key "a"): r1; r2; r3; and 2 more reasons`},
		"rejected attestations":      {three, nil, []proof.Rejection{{Reason: "is an SBOM", PredicateType: vulnURI}}, `not signed by any authority (key "a", key "b", identity "c"): it has no signatures`},
		"all signed":                 {three + "require: All", []string{"a by k1", "b by k2", "c by id"}, nil, ""},
		"one of all is missing":      {three + "require: All", []string{"a by k1", "c by id"}, nil, `signed by 2 of the 3 distinct authorities that must sign; missing: key "b": it has signatures by others only`},
		"all by one key":             {three + "require: All", []string{"a by k1", "b by k1", "c by id"}, nil, `signed by 2 of the 3 distinct authorities that must sign; missing: key "b": whoever signed for it counts for another authority already`},
		"two distinct":               {three + "require: AtLeast\natLeast: 2", []string{"a by k1", "b by k2"}, nil, ""},
		"one key counted twice":      {three + "require: AtLeast\natLeast: 2", []string{"a by k1", "b by k1"}, nil, `signed by 1 of the 2 distinct authorities that must sign; missing: key "b": whoever signed for it counts for another authority already; identity "c": it has signatures by others only`},
		"one authority signed twice": {three + "require: AtLeast\natLeast: 2", []string{"c by id1", "c by id2"}, nil, `signed by 1 of the 2 distinct authorities that must sign; missing: key "a", key "b": it has signatures by others only`},
		"a signer is given to whom nobody else signed for": {three + "require: AtLeast\natLeast: 3", []string{"a by s1", "a by s2", "b by s1", "b by s3", "c by s1"}, nil, ""},
		"three authorities share two signers":              {three + "require: AtLeast\natLeast: 3", []string{"a by s1", "a by s2", "b by s1", "b by s2", "c by s1", "c by s2"}, nil, `signed by 2 of the 3 distinct authorities that must sign; missing: identity "c": whoever signed for it counts for another authority already`},
		"a key whose time ended":                           {"authorities: [{name: old, key: {data: x, notAfter: '2026-11-23T12:00:00Z'}}]", []string{"old by k1"}, nil, `not signed by any authority (key "old"): its time ended at 2026-11-23T12:00:00Z`},
		"a key whose time ends":                            {"authorities: [{name: old, key: {data: x, notAfter: '2026-11-23T12:00:01Z'}}]", []string{"old by k1"}, nil, ""},
		"attestations only":                                {three + "require: AttestationsOnly\nattestations: [{name: scan, predicateType: vuln}]", nil, nil, `attestation "scan": missing (` + vulnURI + `)`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := evidence(tt.signatures...)
			e.Rejected = tt.rejected
			outcome := compile(t, tt.spec).Judge(e, context(t))
			if got := strings.Join(outcome.Reasons, "\n"); got != tt.want {
				t.Errorf("reasons\n%s\nwant\n%s", got, tt.want)
			}
			if outcome.Satisfied != (tt.want == "") {
				t.Errorf("satisfied is %t", outcome.Satisfied)
			}
		})
	}
}

func TestEvidenceAboutAnotherDigestSatisfiesNothing(t *testing.T) {
	requirement := compile(t, "authorities: [{name: a, key: {data: x}}]")
	other := evidence("a by k1")
	other.Digest = "sha256:" + strings.Repeat("b", 64)
	nameless := context(t)
	nameless.Image.Digest = ""
	empty := evidence("a by k1")
	empty.Digest = ""
	tests := map[string]struct {
		evidence *proof.Evidence
		in       proof.Context
	}{
		"another digest":        {other, context(t)},
		"none":                  {nil, context(t)},
		"an image without one":  {evidence("a by k1"), nameless},
		"neither has a digest":  {empty, nameless},
		"evidence that has not": {empty, context(t)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if outcome := requirement.Judge(tt.evidence, tt.in); outcome.Satisfied || len(outcome.Reasons) == 0 {
				t.Errorf("outcome %+v", outcome)
			}
		})
	}
}

func TestTheOutcomeSaysWhoSigned(t *testing.T) {
	requirement := compile(t, "authorities: [{name: a, key: {data: x}}, {name: b, key: {data: y}}]")
	e := evidence("a by k1", "a by k1", "b by k1")
	e.Signatures[1].Time = noon().Add(-time.Hour)
	want := proof.Outcome{Satisfied: true, Authorities: []proof.AuthorityOutcome{
		{Name: "a", Signed: true, Signature: &proof.Signature{Authority: "a", Signer: "k1", Format: v1alpha1.FormatTag, Time: noon().Add(-time.Hour)}},
		{Name: "b", Signed: true, Signature: &proof.Signature{Authority: "b", Signer: "k1", Format: v1alpha1.FormatTag}, Reason: "whoever signed for it counts for another authority already"},
	}}
	if diff := cmp.Diff(want, requirement.Judge(e, context(t))); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
}

// someEvidence is any signatures by few signers for few authorities.
func someEvidence(random *rand.Rand) *proof.Evidence {
	e := evidence()
	for range random.IntN(7) {
		e.Signatures = append(e.Signatures, signed(string(rune('a'+random.IntN(4)))+" by "+string(rune('k'+random.IntN(4)))))
	}
	return e
}

func TestMoreSignaturesNeverSatisfyLessAndOrderDoesNotMatter(t *testing.T) {
	const authorities = "authorities: [{name: a, key: {data: x}}, {name: b, key: {data: y}}, {name: c, keyless: {identities: []}}]\n"
	random := rand.New(rand.NewPCG(1, 2))
	for _, spec := range []string{"require: Any", "require: All", "require: AtLeast\natLeast: 2", "require: AtLeast\natLeast: 3"} {
		requirement := compile(t, authorities+spec)
		for range 2000 {
			e := someEvidence(random)
			before := requirement.Judge(e, context(t))
			if want := bestCount(e) >= needed(spec); before.Satisfied != want {
				t.Fatalf("%s of %+v: satisfied is %t, want %t", spec, e.Signatures, before.Satisfied, want)
			}
			random.Shuffle(len(e.Signatures), func(i, j int) { e.Signatures[i], e.Signatures[j] = e.Signatures[j], e.Signatures[i] })
			if diff := cmp.Diff(before, requirement.Judge(e, context(t))); diff != "" {
				t.Fatalf("%s in another order (-want +got):\n%s", spec, diff)
			}
			e.Signatures = append(e.Signatures, someEvidence(random).Signatures...)
			if after := requirement.Judge(e, context(t)); before.Satisfied && !after.Satisfied {
				t.Fatalf("%s: more signatures satisfy less: %+v", spec, e.Signatures)
			}
		}
	}
}

func needed(spec string) int {
	switch {
	case strings.HasSuffix(spec, "2"):
		return 2
	case strings.HasSuffix(spec, "Any"):
		return 1
	}
	return 3
}

// bestCount tries every way to give signers to the authorities a, b and c.
func bestCount(e *proof.Evidence) int {
	best := 0
	var try func(authority rune, used string, count int)
	try = func(authority rune, used string, count int) {
		if authority > 'c' {
			best = max(best, count)
			return
		}
		try(authority+1, used, count)
		for _, signature := range e.Signatures {
			if signature.Authority == string(authority) && !strings.Contains(used, signature.Signer) {
				try(authority+1, used+signature.Signer, count+1)
			}
		}
	}
	try('a', "", 0)
	return best
}
