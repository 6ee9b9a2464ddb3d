package proof_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

const twoKeys = "require: AttestationsOnly\nauthorities: [{name: a, key: {data: x}}, {name: old, key: {data: y, notAfter: '2026-01-01T00:00:00Z'}}]\n"

// scanAt is a vulnerability predicate that says when it was made.
func scanAt(ago time.Duration, high int) string {
	return fmt.Sprintf(`{"scanner":{"result":{"high":%d}},"metadata":{"scanFinishedOn":%q}}`, high, noon().Add(-ago).Format(time.RFC3339))
}

func TestAttestationsAreJudgedByTypeAuthorityAgeAndConditions(t *testing.T) {
	scan := twoKeys + `attestations: [{name: scan, predicateType: vuln, maxAge: 24h, conditions: [{name: none-high, expression: "predicate.scanner.result.high == 0", message: there are high ones}]}]`
	ageless := twoKeys + `attestations: [{name: cover, predicateType: "urn:cover", conditions: [{name: enough, expression: "predicate.percent > 80"}]}]`
	never := time.Time{}
	tests := map[string]struct {
		spec         string
		attestations []proof.Attestation
		want         string
	}{
		"a fresh one that holds":       {scan, []proof.Attestation{attested("a by k", vulnURI, scanAt(time.Hour, 0), never)}, ""},
		"none":                         {scan, nil, `attestation "scan": missing (` + vulnURI + `)`},
		"of another type":              {scan, []proof.Attestation{attested("a by k", "urn:x", scanAt(time.Hour, 0), never)}, `attestation "scan": missing (` + vulnURI + `)`},
		"by nobody of the policy":      {scan, []proof.Attestation{attested("b by k", vulnURI, scanAt(time.Hour, 0), never)}, `attestation "scan": missing (` + vulnURI + `)`},
		"by a key whose time ended":    {scan, []proof.Attestation{attested("old by k", vulnURI, scanAt(time.Hour, 0), never)}, `attestation "scan": missing (` + vulnURI + `): the time of key "old" ended at 2026-01-01T00:00:00Z`},
		"too old":                      {scan, []proof.Attestation{attested("a by k", vulnURI, scanAt(49*time.Hour, 0), never)}, `attestation "scan": is 49h old, at most 24h allowed`},
		"just old enough":              {scan, []proof.Attestation{attested("a by k", vulnURI, scanAt(24*time.Hour, 0), never)}, ""},
		"too old and bad":              {scan, []proof.Attestation{attested("a by k", vulnURI, scanAt(24*time.Hour+90*time.Minute, 1), never)}, `attestation "scan": is 25h30m old, at most 24h allowed` + "\n" + `attestation "scan": condition "none-high": there are high ones`},
		"the witness knows the time":   {scan, []proof.Attestation{attested("a by k", vulnURI, scanAt(time.Minute, 0), noon().Add(-25*time.Hour))}, `attestation "scan": is 25h old, at most 24h allowed`},
		"witnessed once more":          {scan, []proof.Attestation{attested("a by k", vulnURI, scanAt(49*time.Hour, 0), noon().Add(-time.Hour))}, `attestation "scan": is 49h old, at most 24h allowed`},
		"an old one witnessed last":    {scan, []proof.Attestation{attested("a by k", vulnURI, scanAt(3*time.Hour, 0), noon()), attested("a by k", vulnURI, scanAt(2*time.Hour, 3), noon().Add(-time.Hour))}, `attestation "scan": condition "none-high": there are high ones`},
		"of the future":                {scan, []proof.Attestation{attested("a by k", vulnURI, scanAt(-time.Hour, 0), never)}, `attestation "scan": has no time, so nobody knows its age, at most 24h allowed`},
		"clocks that differ a little":  {scan, []proof.Attestation{attested("a by k", vulnURI, scanAt(-5*time.Minute, 0), never)}, ""},
		"without a time":               {scan, []proof.Attestation{attested("a by k", vulnURI, `{"scanner":{"result":{"high":0}},"metadata":{"scanFinishedOn":5}}`, never)}, `attestation "scan": has no time, so nobody knows its age, at most 24h allowed`},
		"the newest one is bad":        {scan, []proof.Attestation{attested("a by k", vulnURI, scanAt(2*time.Hour, 0), never), attested("a by k", vulnURI, scanAt(time.Hour, 3), never)}, `attestation "scan": condition "none-high": there are high ones`},
		"the newest one is good":       {scan, []proof.Attestation{attested("a by k", vulnURI, scanAt(2*time.Hour, 3), never), attested("a by k", vulnURI, scanAt(time.Hour, 0), never)}, ""},
		"what an expression cannot":    {scan, []proof.Attestation{attested("a by k", vulnURI, `{"metadata":{"scanFinishedOn":"2026-11-23T11:00:00Z"}}`, never)}, `attestation "scan": condition "none-high": there are high ones (cannot be judged: no such key: scanner; let the expression ask has(…) before it reads what may be absent, or read it with .?field)`},
		"no times: one that holds":     {ageless, []proof.Attestation{attested("a by k", "urn:cover", `{"percent":79.9}`, never), attested("a by k", "urn:cover", `{"percent":85}`, never)}, ""},
		"no times: none that holds":    {ageless, []proof.Attestation{attested("a by k", "urn:cover", `{"percent":79.9}`, never), attested("a by k", "urn:cover", `{"percent":80}`, never)}, `attestation "cover": condition "enough": predicate.percent > 80 is not true`},
		"one with a time comes before": {ageless, []proof.Attestation{attested("a by k", "urn:cover", `{"percent":85}`, never), attested("a by k", "urn:cover", `{"percent":1}`, noon())}, `attestation "cover": condition "enough": predicate.percent > 80 is not true`},
		"what is no JSON":              {ageless, []proof.Attestation{attested("a by k", "urn:cover", `{"percent`, never)}, `attestation "cover": condition "enough": predicate.percent > 80 is not true (cannot be judged: no such key: percent; let the expression ask has(…) before it reads what may be absent, or read it with .?field)`},
		"a named authority": {
			twoKeys + `attestations: [{name: x, predicateType: "urn:x", authorities: [old]}]`, []proof.Attestation{attested("a by k", "urn:x", `{}`, never)}, `attestation "x": missing (urn:x)`,
		},
		"two of one type": {
			twoKeys + `attestations: [{name: x, predicateType: "urn:x"}, {name: second, predicateType: "urn:x", conditions: [{name: c, expression: "predicate.n == 1", message: m}]}]`,
			[]proof.Attestation{attested("a by k", "urn:x", `{"n":2}`, never)}, `attestation "second": condition "c": m`,
		},
		"all variables": {
			twoKeys + `attestations: [{name: x, predicateType: "urn:x", conditions: [{name: c, expression: 'image.registry == "r.local" && image.repository == "team/web" && image.digest.startsWith("sha256:aa") && environment == "production" && now == timestamp("2026-11-23T12:00:00Z") && now - time == duration("1h")'}]}]`,
			[]proof.Attestation{attested("a by k", "urn:x", `{}`, noon().Add(-time.Hour))}, "",
		},
		"time where there is none": {
			twoKeys + `attestations: [{name: x, predicateType: "urn:x", conditions: [{name: c, expression: 'time == timestamp("0001-01-01T00:00:00Z")'}]}]`,
			[]proof.Attestation{attested("a by k", "urn:x", `{}`, never)}, "",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := evidence()
			e.Attestations = tt.attestations
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

func TestRejectedAttestationsAreToldOfWhereOneIsMissing(t *testing.T) {
	e := evidence("a by k")
	e.Rejected = []proof.Rejection{
		{PredicateType: vulnURI, Reason: "signed by another key"}, {PredicateType: vulnURI, Authority: "old", Reason: "is for another image"},
		{PredicateType: "urn:x", Reason: "is of another type"}, {Reason: "is no signature"},
	}
	outcome := compile(t, twoKeys+"attestations: [{name: scan, predicateType: vuln, authorities: [a]}]").Judge(e, context(t))
	want := proof.Outcome{
		Attestations: []proof.AttestationOutcome{{Name: "scan", PredicateType: vulnURI, Reasons: []string{"missing (" + vulnURI + "): signed by another key"}}},
		Reasons:      []string{`attestation "scan": missing (` + vulnURI + `): signed by another key`},
	}
	if diff := cmp.Diff(want, outcome); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
}

func TestAnAttestationIsNoSignature(t *testing.T) {
	e := evidence()
	e.Attestations = []proof.Attestation{attested("a by k", "https://slsa.dev/provenance/v1", `{}`, noon())}
	outcome := compile(t, "authorities: [{name: a, key: {data: x}}]").Judge(e, context(t))
	if outcome.Satisfied || outcome.Authorities[0].Signed {
		t.Errorf("outcome %+v", outcome)
	}
}

func TestConditionsShareABudget(t *testing.T) {
	dear := `[0,1,2,3,4,5,6,7,8,9].all(a, [0,1,2,3,4,5,6,7,8,9].all(b, [0,1,2,3,4,5,6,7,8,9].all(c, [0,1,2,3,4,5,6,7,8,9].all(d, [0,1,2,3,4,5,6,7,8,9].all(e, predicate.n != a + b + c + d + e || true)))))`
	spec := twoKeys + "attestations:\n- name: x\n  predicateType: urn:x\n  conditions:\n"
	for i := range 6 {
		spec += fmt.Sprintf("  - {name: c%d, message: dear, expression: '%s'}\n", i, dear)
	}
	e := evidence()
	e.Attestations = []proof.Attestation{attested("a by k", "urn:x", `{"n":1}`, time.Time{})}
	reasons := strings.Join(compile(t, spec).Judge(e, context(t)).Reasons, "\n")
	if exceeded, shared := strings.Count(reasons, "cost limit exceeded"), strings.Count(reasons, "used up the cost of 2500000 that all share"); exceeded == 0 || shared == 0 || exceeded+shared != 6 {
		t.Errorf("%d conditions exceed their own limit and %d the shared one:\n%s", exceeded, shared, reasons)
	}
}

func TestConditionsThatCannotBeReadAreRefusedWithTheirField(t *testing.T) {
	_, err := tryCompile(t, twoKeys+`
attestations:
- {name: x, predicateType: vuln, conditions: [{name: fine, expression: "true"}, {name: syntax, expression: "predicate.("}, {name: type, expression: predicate.passed}]}
- {name: y, predicateType: vuln, conditions: [{name: unknown, expression: "object.x == 1"}]}`)
	requireFieldErrors(t, err, []string{
		"spec.attestations[0].conditions[1].expression: line 1, column 11: Syntax error",
		"spec.attestations[0].conditions[2].expression: line 1, column 1: the expression is of type dyn and must be of type bool",
		"spec.attestations[1].conditions[0].expression: line 1, column 1: undeclared reference to 'object'",
	})
}

func TestTheOrderOfAttestationsDoesNotMatter(t *testing.T) {
	requirement := compile(t, twoKeys+`attestations: [{name: scan, predicateType: vuln, maxAge: 24h, conditions: [{name: c, expression: "predicate.scanner.result.high == 0"}]}]`)
	random := rand.New(rand.NewPCG(3, 4))
	satisfied := 0
	for range 2000 {
		e := evidence()
		for range 1 + random.IntN(5) {
			witness := time.Time{}
			if random.IntN(3) == 0 {
				witness = noon().Add(-time.Duration(random.IntN(3)) * time.Hour)
			}
			authority := []string{"a by k", "a by l", "old by k", "b by k"}[random.IntN(4)]
			e.Attestations = append(e.Attestations, attested(authority, vulnURI, scanAt(time.Duration(random.IntN(3)-1)*time.Hour, random.IntN(2)), witness))
		}
		before := requirement.Judge(e, context(t))
		if before.Satisfied {
			satisfied++
		}
		random.Shuffle(len(e.Attestations), func(i, j int) {
			e.Attestations[i], e.Attestations[j] = e.Attestations[j], e.Attestations[i]
		})
		if diff := cmp.Diff(before, requirement.Judge(e, context(t))); diff != "" {
			t.Fatalf("in another order (-want +got):\n%s", diff)
		}
	}
	if satisfied == 0 || satisfied == 2000 {
		t.Errorf("%d of 2000 are satisfied: nothing was tested", satisfied)
	}
}

// FuzzJudge judges by Evidence as it may come back from where it was kept. What satisfies must say so without reasons,
// and must be about the image.
func FuzzJudge(f *testing.F) {
	requirement := compile(f, "authorities: [{name: a, key: {data: x}}]\nattestations: [{name: scan, predicateType: vuln, maxAge: 24h, conditions: [{name: c, expression: 'predicate.scanner.result.high == 0'}]}]")
	good := evidence("a by k")
	good.Attestations = []proof.Attestation{attested("a by k", vulnURI, scanAt(time.Hour, 0), time.Time{})}
	text, err := json.Marshal(good)
	if err != nil {
		f.Fatal(err)
	}
	if !requirement.Judge(good, context(f)).Satisfied {
		f.Fatal("the seed does not satisfy")
	}
	f.Add(text)
	f.Add([]byte(`{}`))
	f.Add([]byte(strings.Replace(string(text), "sha256:a", "sha256:b", 1)))
	f.Add([]byte(strings.Replace(string(text), `"high":0`, `"high":[{}]`, 1)))
	in := context(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		var e proof.Evidence
		if json.Unmarshal(text, &e) != nil {
			return
		}
		outcome := requirement.Judge(&e, in)
		if outcome.Satisfied != (len(outcome.Reasons) == 0) {
			t.Errorf("satisfied is %t with reasons %q", outcome.Satisfied, outcome.Reasons)
		}
		if outcome.Satisfied && (e.Digest != in.Image.Digest || len(e.Signatures) == 0 || len(e.Attestations) == 0) {
			t.Errorf("%s satisfies", text)
		}
	})
}

func BenchmarkJudge(b *testing.B) {
	var vulnerabilities []string
	for i := range 500 {
		vulnerabilities = append(vulnerabilities, fmt.Sprintf(`{"VulnerabilityID":"CVE-%d","PkgName":"openssl","Title":"a title of some length, as they are","Severity":"LOW"}`, i))
	}
	predicate := fmt.Sprintf(`{"scanner":{"result":{"Results":[{"Vulnerabilities":[%s]}]}},"metadata":{"scanFinishedOn":%q}}`, strings.Join(vulnerabilities, ","), noon().Format(time.RFC3339))
	tests := map[string]string{
		"one key": "authorities: [{name: a, key: {data: x}}]",
		"a scan with 500 findings": `authorities: [{name: a, key: {data: x}}]
attestations: [{name: scan, predicateType: vuln, maxAge: 24h, conditions: [{name: c, expression: "predicate.scanner.result.Results.all(r, r.Vulnerabilities.all(v, !(v.Severity in ['HIGH', 'CRITICAL'])))"}]}]`,
	}
	for name, spec := range tests {
		requirement := compile(b, spec)
		projected, err := requirement.Project(vulnURI, []byte(predicate))
		if err != nil {
			b.Fatal(err)
		}
		e := evidence("a by k")
		e.Attestations = []proof.Attestation{attested("a by k", vulnURI, string(projected), time.Time{})}
		in := context(b)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if outcome := requirement.Judge(e, in); !outcome.Satisfied {
					b.Fatal(outcome.Reasons)
				}
			}
		})
	}
}
