package verification_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sigstore/cosign/v2/pkg/oci/static"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// hashed is what Rekor keeps of a signature under a .sig tag.
func (h holder) hashed(t *testing.T, text, sig []byte) []byte {
	t.Helper()
	pem, err := cryptoutils.MarshalCertificateToPEM(h.certificate)
	must(t, err)
	return rekorBody(t, "hashedrekord", text, sig, pem)
}

func TestKeylessSignaturesUnderATag(t *testing.T) {
	sigstore, other := newInstance(t), newInstance(t)
	now := time.Now()
	signed := func(i *instance, who identity, from time.Time, by witness) func(*testing.T, *server, image.Reference) {
		return func(t *testing.T, _ *server, ref image.Reference) {
			h, text := i.certify(t, who, from), payloadFor(t, ref)
			sig := h.raw(t, text)
			attach(t, ref, text, sig, h.tagOptions(t, h.hashed(t, text, sig), sig, by)...)
		}
	}
	// entryOfAnother has the log entry of another signature by the same certificate.
	entryOfAnother := func(t *testing.T, s *server, ref image.Reference) {
		h, text, other := sigstore.certify(t, ci(), now), payloadFor(t, ref), payloadFor(t, s.push(t))
		attach(t, ref, text, h.raw(t, text), h.tagOptions(t, h.hashed(t, other, h.raw(t, other)), nil, witness{log: true})...)
	}
	stampOfAnother := func(t *testing.T, _ *server, ref image.Reference) {
		h, text := sigstore.certify(t, ci(), now.Add(-time.Minute)), payloadFor(t, ref)
		attach(t, ref, text, h.raw(t, text), h.tagOptions(t, nil, []byte("another"), witness{stamp: true})...)
	}
	bodyOfJunk := func(t *testing.T, _ *server, ref image.Reference) {
		h, text := sigstore.certify(t, ci(), now), payloadFor(t, ref)
		attach(t, ref, text, h.raw(t, text), h.tagOptions(t, []byte(`{"kind":"hashedrekord","apiVersion":"0.0.1","spec":{}}`), nil, witness{log: true})...)
	}
	broken := func(t *testing.T, _ *server, ref image.Reference) {
		text := payloadFor(t, ref)
		attach(t, ref, text, newKey(t).raw(t, text), static.WithCertChain([]byte("no PEM"), nil))
	}
	minuteAgo, longAgo := now.Add(-time.Minute), now.Add(-40*time.Minute)
	log, stamp := witness{log: true}, witness{stamp: true}
	tests := map[string]struct {
		attach  func(*testing.T, *server, image.Reference)
		stamped bool
		reason  string
	}{
		"by a log":                           {attach: signed(sigstore, ci(), minuteAgo, log)},
		"by a time stamp":                    {attach: signed(sigstore, ci(), minuteAgo, stamp), stamped: true},
		"without a log":                      {attach: signed(sigstore, ci(), minuteAgo, witness{}), reason: "no trusted transparency log knows it"},
		"by a log of others":                 {attach: signed(sigstore.witnessedBy(other), ci(), minuteAgo, log), reason: "no trusted transparency log knows it"},
		"by a certificate of others":         {attach: signed(other, ci(), minuteAgo, log), reason: "its certificate is not by a trusted authority"},
		"by another identity":                {attach: signed(sigstore, identity{subject: "mallory@example.org", issuer: ciIssuer}, minuteAgo, log), reason: "mallory@example.org"},
		"by an expired certificate":          {attach: signed(sigstore, ci(), longAgo, log), reason: "certificate validity"},
		"by an expired certificate, stamped": {attach: signed(sigstore, ci(), longAgo, stamp), stamped: true, reason: "was not valid when it was signed"},
		"by the log entry of another":        {attach: entryOfAnother, reason: "signature does not match"},
		"by the time stamp of another":       {attach: stampOfAnother, stamped: true, reason: "no trusted time stamp"},
		"by a log entry that is junk":        {attach: bodyOfJunk, reason: "no trusted transparency log knows it"},
		"by a certificate that is none":      {attach: broken, reason: "signed by a key and not by a certificate"},
	}
	s := newServer(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ref := s.push(t)
			tt.attach(t, s, ref)
			a := keyless(t, sigstore, trustedIdentity())
			if tt.stamped {
				a.TransparencyLog, a.Timestamps = v1alpha1.PresenceIgnored, v1alpha1.PresenceRequired
			}
			got := evidence(t, ref, policy(a))
			if tt.reason != "" {
				requireReason(t, got, tt.reason)
				return
			}
			if diff := cmp.Diff([]string{"ci"}, signers(got)); diff != "" {
				t.Fatalf("signers (-want +got):\n%s\nrejected: %s", diff, reasons(got))
			}
			if got.Signatures[0].Time.IsZero() {
				t.Error("the time of the signature is not told")
			}
		})
	}
}

func TestKeylessAttestationsUnderATag(t *testing.T) {
	sigstore := newInstance(t)
	s := newServer(t)
	for name, by := range map[string]witness{"by a log": {log: true}, "by a time stamp": {stamp: true}} {
		t.Run(name, func(t *testing.T) {
			ref := s.push(t)
			h := sigstore.certify(t, ci(), time.Now().Add(-time.Minute))
			envelope := h.envelope(t, statement(t, ref, scanType, map[string]any{}))
			raw, err := json.Marshal(envelope)
			must(t, err)
			sig := h.entrySignature(t, envelope)
			pem, err := cryptoutils.MarshalCertificateToPEM(h.certificate)
			must(t, err)
			attachAttestation(t, ref, envelope, scanType, h.tagOptions(t, rekorBody(t, "dsse", raw, sig, pem), raw, by)...)
			a := keyless(t, sigstore, trustedIdentity())
			if by.stamp {
				a.TransparencyLog, a.Timestamps = v1alpha1.PresenceIgnored, v1alpha1.PresenceRequired
			}
			got := evidence(t, ref, onlyAttestations(asking(policy(a), scanType)))
			if diff := cmp.Diff([]string{scanType + " ci"}, attested(got)); diff != "" {
				t.Fatalf("attestations (-want +got):\n%s\nrejected: %s", diff, reasons(got))
			}
			if got.Attestations[0].Time.IsZero() {
				t.Error("the time of the attestation is not told")
			}
		})
	}
}

// TestEntriesOfEitherKind is for bundles of cosign 2, whose log entries are of kind dsse, beside ones of cosign 3, whose
// entries are of kind hashedrekord and over what the signature is over.
func TestEntriesOfEitherKind(t *testing.T) {
	sigstore := newInstance(t)
	s := servers(t)["a registry with referrers"]
	for _, kind := range []string{"dsse", "hashedrekord"} {
		t.Run(kind, func(t *testing.T) {
			ref := s.push(t)
			h := sigstore.certify(t, ci(), time.Now().Add(-time.Minute))
			b := h.bundle(t, statement(t, ref, signType, nil), witness{log: true})
			if kind == "hashedrekord" {
				envelope := b.GetDsseEnvelope()
				body := h.hashed(t, pae(envelope.GetPayload()), envelope.GetSignatures()[0].GetSig())
				b.VerificationMaterial.TlogEntries[0] = sigstore.logged(t, body, time.Time{})
			}
			if got := b.VerificationMaterial.TlogEntries[0].GetKindVersion().GetKind(); got != kind {
				t.Fatalf("the test made an entry of kind %q", got)
			}
			refer(t, ref, b, signType)
			got := evidence(t, ref, policy(keyless(t, sigstore, trustedIdentity())))
			if diff := cmp.Diff([]string{"ci"}, signers(got)); diff != "" {
				t.Errorf("signers (-want +got):\n%s\nrejected: %s", diff, reasons(got))
			}
		})
	}
}
