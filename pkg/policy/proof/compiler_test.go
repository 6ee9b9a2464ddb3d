package proof_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

func TestAPolicyCoversImagesInEnvironments(t *testing.T) {
	tests := map[string]struct {
		spec, environment string
		want              bool
	}{
		"the team's images":       {"images: [r.local/other/*, r.local/team/*]", "production", true},
		"all images":              {"images: ['**']", "production", true},
		"another environment":     {"images: ['**']\nenvironments: [staging]", "production", false},
		"another registry":        {"images: ['docker.io/**']", "production", false},
		"one segment, not deeper": {"images: ['r.local/*']", "production", false},
	}
	ref, err := image.Parse("r.local/team/web:v1")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := compile(t, tt.spec+"\nauthorities: [{name: a}]").Covers(tt.environment, ref); got != tt.want {
				t.Errorf("covers is %t", got)
			}
		})
	}
}

func TestAPolicyThatCannotBeJudgedByIsRefused(t *testing.T) {
	const authority = "authorities: [{name: a, key: {data: x}}]\n"
	tests := map[string]struct {
		spec string
		want []string
	}{
		"a glob that cannot be read": {authority + "images: ['**', r.local/Web]", []string{"spec.images[1]: "}},
		"nobody could sign":          {"require: Any", []string{"spec.authorities: must name somebody"}},
		"at least without number":    {authority + "require: AtLeast", []string{"spec.atLeast: must be set"}},
		"at least none":              {authority + "require: AtLeast\natLeast: 0", []string{"spec.atLeast: must be at least 1"}},
		"at least more than all":     {authority + "require: AtLeast\natLeast: 2", []string{"spec.atLeast: is more than there are authorities: 2 of 1"}},
		"a word nobody knows":        {authority + "require: Some\nformats: [Tag, Tape]", []string{`spec.require: "Some" is none of`, `spec.formats[1]: "Tape" is none of`}},
		"nothing is asked":           {authority + "require: AttestationsOnly", []string{"spec.require: AttestationsOnly needs attestations"}},
		"attestations": {
			authority + `
attestations:
- {name: a, predicateType: sarif}
- {name: b, predicateType: "https://sigstore.dev/cosign/sign/v1"}
- {name: c, predicateType: vuln, authorities: [a, b]}`,
			[]string{`spec.attestations[0].predicateType: "sarif" is neither a URI nor`, `spec.attestations[1].predicateType: "https://sigstore.dev/cosign/sign/v1" is that of signatures`, `spec.attestations[2].authorities[1]: the policy has no authority "b"`},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := tryCompile(t, tt.spec)
			requireFieldErrors(t, err, tt.want)
		})
	}
}

// requireFieldErrors wants FieldErrors that begin with some texts, in that order.
func requireFieldErrors(t *testing.T, err error, want []string) {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("error %v holds no others", err)
	}
	list := joined.Unwrap()
	if len(list) != len(want) {
		t.Fatalf("errors\n%v\nwant %d", err, len(want))
	}
	for i, one := range list {
		var problem *proof.FieldError
		if !errors.As(one, &problem) {
			t.Fatalf("%v is no FieldError", one)
		}
		if got := problem.Field + ": " + problem.Message; !strings.HasPrefix(got, want[i]) || problem.Policy != "web" {
			t.Errorf("%q of policy %q, want %q", got, problem.Policy, want[i])
		}
	}
}

func TestPredicateTypes(t *testing.T) {
	requirement := compile(t, `
authorities: [{name: a}]
attestations:
- {name: a, predicateType: vuln}
- {name: b, predicateType: slsaprovenance}
- {name: c, predicateType: slsaprovenance02}
- {name: d, predicateType: "https://example.com/coverage"}`)
	want := []string{"https://cosign.sigstore.dev/attestation/vuln/v1", "https://example.com/coverage", "https://slsa.dev/provenance/v0.2"}
	if diff := cmp.Diff(want, requirement.PredicateTypes()); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
}

func TestTheFingerprintIsOfWhatDecidesAboutCollecting(t *testing.T) {
	base := `
images: [r.local/**]
authorities: [{name: a, key: {data: x}}, {name: b, keyless: {identities: [{issuer: i, subject: s}]}}]
formats: [Bundle]
attestations: [{name: scan, predicateType: vuln, conditions: [{name: c, expression: "predicate.a == 1"}]}]`
	tests := map[string]struct {
		old, with string
		same      bool
	}{
		"another image":           {"r.local/**", "r.local/*", true},
		"the end of a key's time": {"data: x", "data: x, notAfter: '2026-01-01T00:00:00Z'", true},
		"how many must sign":      {"formats:", "require: All\nformats:", true},
		"an age":                  {"predicateType: vuln", "predicateType: vuln, maxAge: 1h", true},
		"another condition":       {"a == 1", "a == 2", true},
		"what a condition reads":  {"predicate.a", "predicate.b", false},
		"another key":             {"data: x", "data: y", false},
		"another identity":        {"subject: s", "subject: t", false},
		"another format":          {"[Bundle]", "[Tag]", false},
		"another type":            {"vuln", "spdx", false},
		"no signatures":           {"formats:", "require: AttestationsOnly\nformats:", false},
	}
	before := compile(t, base).Fingerprint()
	if len(before) != 64 || before != compile(t, base).Fingerprint() {
		t.Fatalf("fingerprint %q is not always the same", before)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(base, tt.old, tt.with, 1)
			if changed == base {
				t.Fatal("nothing was changed")
			}
			if same := compile(t, changed).Fingerprint() == before; same != tt.same {
				t.Errorf("the fingerprint is the same: %t", same)
			}
		})
	}
}

func TestTimesAndFormatsOfAPolicy(t *testing.T) {
	plain := compile(t, "authorities: [{name: a}]")
	if plain.ValidFor() != time.Hour || plain.StaleFor() != 24*time.Hour || !plain.Looks(v1alpha1.FormatTag) || !plain.SignaturesAsked() {
		t.Error("the defaults are others")
	}
	set := compile(t, "authorities: [{name: a}]\ncache: {validFor: 5m, staleFor: 0s}\nformats: [Bundle]")
	if set.ValidFor() != 5*time.Minute || set.StaleFor() != 0 || set.Looks(v1alpha1.FormatTag) || !set.Looks(v1alpha1.FormatBundle) {
		t.Error("what the policy sets does not count")
	}
}
