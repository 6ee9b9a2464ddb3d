package verification_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

func TestAttestations(t *testing.T) {
	trusted, foreign := newKey(t), newKey(t)
	tag := func(k key, predicateType, hint string) func(*testing.T, *server, image.Reference) {
		return func(t *testing.T, _ *server, ref image.Reference) {
			attachAttestation(t, ref, k.envelope(t, statement(t, ref, predicateType, map[string]any{})), hint)
		}
	}
	bundle := func(k key, predicateType, hint string) func(*testing.T, *server, image.Reference) {
		return func(t *testing.T, _ *server, ref image.Reference) {
			refer(t, ref, k.bundle(t, statement(t, ref, predicateType, map[string]any{})), hint)
		}
	}
	tests := map[string]struct {
		attach []func(t *testing.T, s *server, ref image.Reference)
		want   []string
		signed []string
		reason string
	}{
		"under a tag":                                {attach: list(tag(trusted, scanType, scanType)), want: []string{scanType + " release"}},
		"in a bundle":                                {attach: list(bundle(trusted, scanType, scanType)), want: []string{scanType + " release"}},
		"under a tag without an annotation":          {attach: list(tag(trusted, scanType, "")), want: []string{scanType + " release"}},
		"in a bundle without an annotation":          {attach: list(bundle(trusted, scanType, "")), want: []string{scanType + " release"}},
		"both are one where they say the same twice": {attach: list(tag(trusted, scanType, ""), tag(trusted, scanType, "")), want: []string{scanType + " release"}},
		"by another key under a tag":                 {attach: list(tag(foreign, scanType, scanType)), reason: "signed by another key"},
		"by another key in a bundle":                 {attach: list(bundle(foreign, scanType, scanType)), reason: "signed by another key"},
		"an annotation that lies under a tag":        {attach: list(tag(trusted, provenanceType, scanType)), reason: "of a type for which the policy does not ask"},
		"an annotation that lies in a bundle":        {attach: list(bundle(trusted, provenanceType, scanType)), reason: "of a type for which the policy does not ask"},
		"a signature does not count as one":          {attach: list(bundle(trusted, signType, scanType)), signed: []string{"release"}},
		"transplanted under a tag": {attach: list(func(t *testing.T, s *server, ref image.Reference) {
			other := s.push(t)
			trusted.attest(t, other, scanType, nil)
			transplant(t, other, ref, attTag)
		}), reason: "is for another image"},
		"an envelope with two signatures of which one is good": {attach: list(func(t *testing.T, _ *server, ref image.Reference) {
			envelope := foreign.envelope(t, statement(t, ref, scanType, nil))
			envelope.Signatures = append(envelope.Signatures, trusted.envelope(t, statement(t, ref, scanType, nil)).Signatures...)
			attachAttestation(t, ref, envelope, scanType)
		}), want: []string{scanType + " release"}},
		"an envelope whose payload was tampered with": {attach: list(func(t *testing.T, s *server, ref image.Reference) {
			envelope := trusted.envelope(t, statement(t, s.push(t), scanType, nil))
			envelope.Payload = foreign.envelope(t, statement(t, ref, scanType, nil)).Payload
			attachAttestation(t, ref, envelope, scanType)
		}), reason: "signed by another key"},
		"an envelope without signatures": {attach: list(func(t *testing.T, _ *server, ref image.Reference) {
			envelope := trusted.envelope(t, statement(t, ref, scanType, nil))
			envelope.Signatures = []dsse.Signature{}
			attachAttestation(t, ref, envelope, scanType)
		}), reason: "has 0 signatures"},
		"an envelope of something else": {attach: list(func(t *testing.T, _ *server, ref image.Reference) {
			envelope := trusted.envelope(t, statement(t, ref, scanType, nil))
			envelope.PayloadType = "text/plain"
			attachAttestation(t, ref, envelope, scanType)
		}), reason: "no in-toto statement"},
	}
	for kind, s := range servers(t) {
		for name, tt := range tests {
			t.Run(kind+": "+name, func(t *testing.T) {
				ref := s.push(t)
				for _, attach := range tt.attach {
					attach(t, s, ref)
				}
				got := evidence(t, ref, asking(policy(trusted.authority("release")), scanType))
				if diff := cmp.Diff(tt.want, attested(got)); diff != "" {
					t.Errorf("attestations (-want +got):\n%s\nrejected: %s", diff, reasons(got))
				}
				if diff := cmp.Diff(tt.signed, signers(got)); diff != "" {
					t.Errorf("an attestation counts as a signature (-want +got):\n%s", diff)
				}
				if tt.reason != "" {
					requireReason(t, got, tt.reason)
				}
			})
		}
	}
}

func list[T any](elements ...T) []T { return elements }

func TestAnAttestationAloneIsNoSignature(t *testing.T) {
	trusted := newKey(t)
	s := servers(t)["a registry with referrers"]
	ref := s.push(t)
	refer(t, ref, trusted.bundle(t, statement(t, ref, scanType, nil)), scanType)
	trusted.attest(t, ref, scanType, nil)
	if got := evidence(t, ref, policy(trusted.authority("release"))); len(got.Signatures)+len(got.Attestations) > 0 {
		t.Errorf("a scan signs: %+v", got)
	}
}

func TestOfAPredicateOnlyWhatIsLookedAtIsKept(t *testing.T) {
	trusted := newKey(t)
	s := newServer(t)
	ref := s.push(t)
	trusted.attest(t, ref, scanType, map[string]any{"scanner": map[string]any{"uri": "trivy", "version": "1"}, "blob": "x"})
	p := onlyAttestations(asking(policy(trusted.authority("scanner")), scanType))
	p.Spec.Attestations[0].Conditions = append(p.Spec.Attestations[0].Conditions, condition(`predicate.scanner.uri == "trivy"`))
	requirement := compile(t, p)
	got := evidence(t, ref, p)
	if len(got.Attestations) != 1 {
		t.Fatalf("attestations are %+v, want one; rejected %s", got.Attestations, reasons(got))
	}
	raw, err := json.Marshal(map[string]any{"scanner": map[string]any{"uri": "trivy", "version": "1"}, "blob": "x"})
	must(t, err)
	want, err := requirement.Project(scanType, raw)
	must(t, err)
	if diff := cmp.Diff(string(want), string(got.Attestations[0].Predicate)); diff != "" {
		t.Errorf("predicate (-want +got):\n%s", diff)
	}
}
