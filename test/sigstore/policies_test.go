//go:build sigstore

package sigstore_test

import (
	"context"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/test/sigstore"
)

// eachRegistry runs a test on both registries.
func (w *world) eachRegistry(t *testing.T, run func(*testing.T, *sigstore.Registry)) {
	t.Helper()
	t.Run("referrers API", func(t *testing.T) { run(t, sigstore.RegistryWithReferrers(t)) })
	t.Run("no referrers API", func(t *testing.T) { run(t, w.sigstore.RegistryWithoutReferrers(t)) })
}

// testEveryEntryOfALogCounts: cosign 2 enters dsse in Rekor and cosign 3 hashedrekord. sigstore-go from 1.2.0
// on reads the first kind as if there were no bundle.
func (w *world) testEveryEntryOfALogCounts(t *testing.T) {
	older, newer := w.sigstore.Workflow("acme/web", "refs/heads/develop"), w.workflow
	w.eachRegistry(t, func(t *testing.T, registry *sigstore.Registry) {
		ref := registry.Push(t, repository, "v1")
		for cosign, who := range map[sigstore.Cosign]*sigstore.Identity{sigstore.V2: &older, sigstore.V3: &newer} {
			options := sigstore.SignOptions{Image: ref, Cosign: cosign, Identity: who}
			w.sigstore.Sign(t, options)
			w.sigstore.Attest(t, sigstore.AttestOptions{SignOptions: options, PredicateType: "vuln", Predicate: scan("LOW")})
		}
		first, second := w.identity(older, sigstore.LogAndStamp), w.identity(newer, sigstore.LogAndStamp)
		first.Name, second.Name = "cosign 2", "cosign 3"
		policy := policyOf(attestations, first)
		policy.Spec.Require, policy.Spec.Authorities = v1alpha1.RequireAll, append(policy.Spec.Authorities, second)
		scanned := policy.Spec.Attestations[0]
		policy.Spec.Attestations = nil
		for _, authority := range policy.Spec.Authorities {
			scanned.Name, scanned.Authorities = "scan by "+authority.Name, []string{authority.Name}
			policy.Spec.Attestations = append(policy.Spec.Attestations, scanned)
		}
		finding := w.ask(t, ref, policy, time.Now())
		expect(t, finding, "")
		if got := len(finding.Evidence.Signatures) + len(finding.Evidence.Attestations); got != 4 {
			t.Errorf("%d of the image's 4 bundles count: %+v", got, finding.Evidence)
		}
	})
}

// testAStatementIsNoSignature: whoever may attest something about an image has not thereby released it.
func (w *world) testAStatementIsNoSignature(t *testing.T) {
	w.eachRegistry(t, func(t *testing.T, registry *sigstore.Registry) {
		for _, cosign := range []sigstore.Cosign{sigstore.V2, sigstore.V3} {
			for _, format := range []sigstore.Format{sigstore.Tag, sigstore.Bundle} {
				for signer, options := range map[string]sigstore.SignOptions{"key": {Key: w.trusted}, "keyless": {Identity: &w.workflow}} {
					t.Run(string(cosign)+"/"+string(format)+"/"+signer, func(t *testing.T) {
						authority := keyOf(w.trusted)
						if options.Identity != nil {
							authority = w.identity(w.workflow, format.Witness())
						}
						options.Cosign, options.Format = cosign, format
						options.Image = registry.Push(t, repository, "attested")
						w.sign(t, options, attestations)
						expect(t, w.ask(t, options.Image, policyOf(signatures, authority), time.Now()), "it has no signatures")
						options.Image = registry.Push(t, repository, "signed")
						w.sign(t, options, signatures)
						expect(t, w.ask(t, options.Image, policyOf(attestations, authority), time.Now()), `attestation "scan": missing`)
					})
				}
			}
		}
	})
}

// testWitnesses: what a policy requires beside the signature must be there.
func (w *world) testWitnesses(t *testing.T) {
	registry := sigstore.RegistryWithReferrers(t)
	signed := func(options sigstore.SignOptions) image.Reference {
		options.Image = registry.Push(t, repository, "v1")
		w.sigstore.Sign(t, options)
		return options.Image
	}
	bare, logged := signed(sigstore.SignOptions{Key: w.trusted}), signed(sigstore.SignOptions{Key: w.trusted, Logged: true})
	stamped := signed(sigstore.SignOptions{Key: w.trusted, Logged: true, Format: sigstore.Tag})
	entered := signed(sigstore.SignOptions{Key: w.trusted, Logged: true, Cosign: sigstore.V2, Format: sigstore.Tag, Witness: sigstore.LogAlone})
	keyless := signed(sigstore.SignOptions{Identity: &w.workflow})
	person := w.sigstore.Person("jane@example.com")
	mailed := signed(sigstore.SignOptions{Identity: &person})
	witnessed := func(log, stamps v1alpha1.Presence) v1alpha1.Authority {
		authority := keyOf(w.trusted)
		authority.TrustRoot = &v1alpha1.TrustRoot{Data: string(w.sigstore.TrustedRoot())}
		authority.TransparencyLog, authority.Timestamps = log, stamps
		return authority
	}
	required, ignored := v1alpha1.PresenceRequired, v1alpha1.PresenceIgnored
	otherLog := w.identity(w.workflow, sigstore.LogAndStamp)
	otherLog.TrustRoot.Data = string(w.sigstore.TrustedRootOf(t, sigstore.Trust{OtherCertificateLog: true}))
	endedStamps := w.identity(w.workflow, sigstore.LogAndStamp)
	endedStamps.TrustRoot.Data = string(w.sigstore.TrustedRootOf(t, sigstore.Trust{TimestampAuthorityEnd: time.Now().Add(-time.Hour)}))
	jane := v1alpha1.Authority{
		Name: "jane", TrustRoot: otherLog.TrustRoot.DeepCopy(), TransparencyLog: required, Timestamps: required,
		Keyless: &v1alpha1.KeylessAuthority{Identities: []v1alpha1.CertificateIdentity{{
			Issuer: person.Issuer, SubjectRegExp: `^[a-z]+@example\.com$`,
		}}},
	}
	jane.TrustRoot.Data = string(w.sigstore.TrustedRoot())
	tests := map[string]struct {
		image     image.Reference
		authority v1alpha1.Authority
		want      string
	}{
		"an entry in the log, where there is one":                   {logged, witnessed(required, ignored), ""},
		"an entry and a stamp, where there are both":                {logged, witnessed(required, required), ""},
		"nothing more than the key, where there is more":            {logged, keyOf(w.trusted), ""},
		"an entry in the log, where there is none":                  {bare, witnessed(required, ignored), "no trusted transparency log knows it"},
		"a stamp, where there is none":                              {bare, witnessed(ignored, required), "it has no time stamp"},
		"a stamp beside a tag":                                      {stamped, witnessed(ignored, required), ""},
		"an entry in the log, beside a tag with a stamp":            {stamped, witnessed(required, ignored), "no trusted transparency log knows it"},
		"an entry in the log, beside a tag":                         {entered, witnessed(required, ignored), ""},
		"a stamp, beside a tag with an entry in the log":            {entered, witnessed(ignored, required), "it has no time stamp"},
		"a certificate that another log promised":                   {keyless, otherLog, "no trusted log promised its certificate"},
		"a stamp by an authority whose time had ended":              {keyless, endedStamps, "it has no trusted time stamp"},
		"an e-mail address that a regular expression describes":     {mailed, jane, ""},
		"a workflow, where a regular expression describes a person": {keyless, jane, "who is not trusted"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			expect(t, w.ask(t, tt.image, policyOf(signatures, tt.authority), time.Now()), tt.want)
		})
	}
}

// testOneWitnessIsNotTheOther: a certificate's signature before one witness satisfies no policy that wants the other one.
func (w *world) testOneWitnessIsNotTheOther(t *testing.T) {
	registry := sigstore.RegistryWithReferrers(t)
	reasons := map[sigstore.Witness]string{
		sigstore.StampAlone: "it has no time stamp", sigstore.LogAlone: "no trusted transparency log knows it",
	}
	other := map[sigstore.Witness]sigstore.Witness{sigstore.LogAlone: sigstore.StampAlone, sigstore.StampAlone: sigstore.LogAlone}
	for _, cosign := range []sigstore.Cosign{sigstore.V2, sigstore.V3} {
		for _, format := range []sigstore.Format{sigstore.Tag, sigstore.Bundle} {
			for there, missing := range other {
				t.Run(strings.Join([]string{string(cosign), string(format), string(there)}, "/"), func(t *testing.T) {
					options := sigstore.SignOptions{
						Image: registry.Push(t, repository, "v1"), Identity: &w.workflow, Cosign: cosign, Format: format, Witness: there,
					}
					w.sigstore.Sign(t, options)
					for asked, want := range map[sigstore.Witness]string{there: "", missing: reasons[missing], sigstore.LogAndStamp: reasons[missing]} {
						expect(t, w.ask(t, options.Image, policyOf(signatures, w.identity(w.workflow, asked)), time.Now()), want)
					}
				})
			}
		}
	}
}

// testNobodyBorrowsAPromise: Rekor's promise and its time are for one signature, also where another one is by the same
// workflow, which here signed after its certificate had expired, or before no log.
func (w *world) testNobodyBorrowsAPromise(t *testing.T) {
	registry := sigstore.RegistryWithReferrers(t)
	for _, cosign := range []sigstore.Cosign{sigstore.V2, sigstore.V3} {
		for name, own := range map[string]sigstore.SignOptions{
			"of a good time": {Witness: sigstore.LogAlone, Late: true}, "of any time": {Witness: sigstore.StampAlone},
		} {
			t.Run(string(cosign)+"/"+name, func(t *testing.T) {
				signed := func(options sigstore.SignOptions) image.Reference {
					options.Image, options.Identity, options.Cosign, options.Format = registry.Push(t, repository, "v1"), &w.workflow, cosign, sigstore.Tag
					w.sigstore.Sign(t, options)
					return options.Image
				}
				good, bad := signed(sigstore.SignOptions{Witness: sigstore.LogAlone}), signed(own)
				policy := policyOf(signatures, w.identity(w.workflow, sigstore.LogAlone))
				registry.Borrow(t, good, bad)
				expect(t, w.ask(t, good, policy, time.Now()), "")
				expect(t, w.ask(t, bad, policy, time.Now()), "transparency log signature does not match")
			})
		}
	}
}

// testFormatsAddUp: an image on its way from one format to the other has signatures in both.
func (w *world) testFormatsAddUp(t *testing.T) {
	w.eachRegistry(t, func(t *testing.T, registry *sigstore.Registry) {
		ref := registry.Push(t, repository, "v1")
		w.sigstore.Sign(t, sigstore.SignOptions{Image: ref, Key: w.trusted, Cosign: sigstore.V2, Format: sigstore.Tag})
		w.sigstore.Sign(t, sigstore.SignOptions{Image: ref, Key: w.trusted, Cosign: sigstore.V3, Format: sigstore.Bundle})
		policy := policyOf(signatures, keyOf(w.trusted))
		policy.Spec.Require, policy.Spec.AtLeast = v1alpha1.RequireAtLeast, ptr.To[int32](2)
		second := keyOf(w.foreign)
		second.Name = "second"
		policy.Spec.Authorities = append(policy.Spec.Authorities, second)
		expect(t, w.ask(t, ref, policy, time.Now()), "signed by 1 of the 2 distinct authorities")
		w.sigstore.Sign(t, sigstore.SignOptions{Image: ref, Key: w.foreign, Cosign: sigstore.V3, Format: sigstore.Bundle})
		expect(t, w.ask(t, ref, policy, time.Now()), "")
		policy.Spec.Formats = []v1alpha1.SignatureFormat{v1alpha1.FormatTag}
		expect(t, w.ask(t, ref, policy, time.Now()), "signed by 1 of the 2 distinct authorities")
	})
}

// testConditions: what a signed statement says decides, and only the latest one does.
func (w *world) testConditions(t *testing.T) {
	w.eachRegistry(t, func(t *testing.T, registry *sigstore.Registry) {
		ref := registry.Push(t, repository, "v1")
		attest := func(severity string) {
			w.sigstore.Attest(t, sigstore.AttestOptions{
				SignOptions: sigstore.SignOptions{Image: ref, Key: w.trusted, Logged: true}, PredicateType: "vuln", Predicate: scan(severity),
			})
		}
		authority := keyOf(w.trusted)
		authority.TrustRoot = &v1alpha1.TrustRoot{Data: string(w.sigstore.TrustedRoot())}
		authority.TransparencyLog, authority.Timestamps = v1alpha1.PresenceRequired, v1alpha1.PresenceRequired
		policy := policyOf(attestations, authority)
		attest("LOW")
		expect(t, w.ask(t, ref, policy, time.Now()), "")
		waitForNextSecond(t)
		attest("CRITICAL")
		expect(t, w.ask(t, ref, policy, time.Now()), "there are critical vulnerabilities")
		policy.Spec.Attestations[0].MaxAge = &metav1.Duration{Duration: time.Hour}
		expect(t, w.ask(t, ref, policy, time.Now().Add(2*time.Hour)), "old, at most 1h allowed")
	})
}

// waitForNextSecond returns when a stamp made now has a later time than those before: stamps count seconds.
func waitForNextSecond(t *testing.T) {
	t.Helper()
	next := time.Now().Truncate(time.Second).Add(time.Second)
	err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, 2*time.Second, true, func(context.Context) (bool, error) {
		return !time.Now().Before(next), nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
