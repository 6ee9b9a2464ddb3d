package verification_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

func TestIdentities(t *testing.T) {
	sigstore := newInstance(t)
	with := func(change func(*v1alpha1.CertificateIdentity)) v1alpha1.CertificateIdentity {
		one := trustedIdentity()
		change(&one)
		return one
	}
	extension := func(e ...v1alpha1.CertificateExtension) v1alpha1.CertificateIdentity {
		return with(func(i *v1alpha1.CertificateIdentity) { i.Extensions = e })
	}
	subject := func(expression string) v1alpha1.CertificateIdentity {
		return with(func(i *v1alpha1.CertificateIdentity) { i.Subject, i.SubjectRegExp = "", expression })
	}
	ref := v1alpha1.ExtensionSourceRepositoryRef
	tests := map[string]struct {
		who     identity
		trusted []v1alpha1.CertificateIdentity
		reason  string
	}{
		"the very identity":                    {who: ci(), trusted: list(trustedIdentity())},
		"an e-mail address":                    {who: identity{subject: "ann@example.org", issuer: ciIssuer}, trusted: list(v1alpha1.CertificateIdentity{Issuer: ciIssuer, Subject: "ann@example.org"})},
		"the second of two":                    {who: ci(), trusted: list(with(func(i *v1alpha1.CertificateIdentity) { i.Subject = "someone" }), trustedIdentity())},
		"an expression over the whole subject": {who: ci(), trusted: list(subject(`^https://github\.com/team/.*$`))},
		"an expression over the whole issuer": {who: ci(), trusted: list(with(func(i *v1alpha1.CertificateIdentity) {
			i.Issuer, i.IssuerRegExp = "", `^https://token\.actions\..*$`
		}))},
		"the right ref":            {who: ci(), trusted: list(extension(v1alpha1.CertificateExtension{Name: ref, Value: "refs/heads/main"}))},
		"a ref by an expression":   {who: ci(), trusted: list(extension(v1alpha1.CertificateExtension{Name: ref, RegExp: `^refs/heads/(main|release)$`}))},
		"the wrong subject":        {who: identity{subject: "mallory@example.org", issuer: ciIssuer}, trusted: list(trustedIdentity()), reason: `signed by "mallory@example.org"`},
		"the wrong issuer":         {who: identity{subject: ciSubject, issuer: "https://evil.example"}, trusted: list(trustedIdentity()), reason: `of issuer "https://evil.example"`},
		"a subject in other case":  {who: identity{subject: "Ann@example.org", issuer: ciIssuer}, trusted: list(v1alpha1.CertificateIdentity{Issuer: ciIssuer, Subject: "ann@example.org"}), reason: "who is not trusted"},
		"no issuer at all":         {who: identity{subject: ciSubject}, trusted: list(with(func(i *v1alpha1.CertificateIdentity) { i.Issuer, i.IssuerRegExp = "", "^.*$" })), reason: `of issuer ""`},
		"the wrong ref":            {who: identity{subject: ciSubject, issuer: ciIssuer, ref: "refs/heads/dev"}, trusted: list(extension(v1alpha1.CertificateExtension{Name: ref, Value: "refs/heads/main"})), reason: `says "refs/heads/dev" of SourceRepositoryRef`},
		"a missing ref":            {who: identity{subject: ciSubject, issuer: ciIssuer}, trusted: list(extension(v1alpha1.CertificateExtension{Name: ref, RegExp: "^.*$"})), reason: `says "" of SourceRepositoryRef`},
		"an unanchored identity":   {who: identity{subject: "https://evil.example/https://github.com/team/web", issuer: ciIssuer}, trusted: list(subject(`https://github\.com/team/web`)), reason: "who is not trusted"},
		"an alternative without ^": {who: identity{subject: "https://evil.example/trusted", issuer: ciIssuer}, trusted: list(subject(`^https://github\.com/team|trusted$`)), reason: "who is not trusted"},
		"a second line":            {who: identity{subject: "https://evil.example/%0Ahttps://github.com/team/web", issuer: ciIssuer}, trusted: list(subject(`(?m)^https://github\.com/team/web$`)), reason: "who is not trusted"},
	}
	s := servers(t)["a registry with referrers"]
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			target := s.push(t)
			h := sigstore.certify(t, tt.who, time.Now().Add(-time.Minute))
			refer(t, target, h.bundle(t, statement(t, target, signType, nil), witness{log: true}), signType)
			got := evidence(t, target, policy(keyless(t, sigstore, tt.trusted...)))
			if tt.reason != "" {
				requireReason(t, got, tt.reason)
				return
			}
			if diff := cmp.Diff([]string{"ci"}, signers(got)); diff != "" {
				t.Fatalf("signers (-want +got):\n%s\nrejected: %s", diff, reasons(got))
			}
			one := got.Signatures[0]
			if one.Signer != tt.who.issuer+" "+tt.who.subject || time.Since(one.Time).Abs() > time.Minute {
				t.Errorf("signature is %+v", one)
			}
		})
	}
}

func TestWitnesses(t *testing.T) {
	sigstore, other := newInstance(t), newInstance(t)
	now := time.Now()
	required, ignored := v1alpha1.PresenceRequired, v1alpha1.PresenceIgnored
	type bundler func(t *testing.T, s *server, ref image.Reference) *protobundle.Bundle
	by := func(i *instance, from time.Time, w witness) bundler {
		return func(t *testing.T, _ *server, ref image.Reference) *protobundle.Bundle {
			return i.certify(t, ci(), from).bundle(t, statement(t, ref, signType, nil), w)
		}
	}
	// with takes the witnesses of one bundle for another.
	with := func(bundle bundler, change func(into, from *protobundle.VerificationMaterial)) bundler {
		return func(t *testing.T, s *server, ref image.Reference) *protobundle.Bundle {
			into, from := bundle(t, s, ref), bundle(t, s, ref)
			change(into.VerificationMaterial, from.VerificationMaterial)
			return into
		}
	}
	minuteAgo := now.Add(-time.Minute)
	log, stamp, both := witness{log: true}, witness{stamp: true}, witness{log: true, stamp: true}
	tests := map[string]struct {
		bundle     bundler
		log, stamp v1alpha1.Presence
		promised   bool
		reason     string
	}{
		"a log":                           {bundle: by(sigstore, minuteAgo, log)},
		"a log that is asked for":         {bundle: by(sigstore, minuteAgo, log), log: required},
		"a time stamp":                    {bundle: by(sigstore, minuteAgo, stamp), log: ignored, stamp: required},
		"both":                            {bundle: by(sigstore, minuteAgo, both), log: required, stamp: required},
		"neither is there":                {bundle: by(sigstore, minuteAgo, witness{}), reason: "no trusted transparency log knows it"},
		"a log is missing":                {bundle: by(sigstore, minuteAgo, stamp), reason: "no trusted transparency log knows it"},
		"a time stamp is missing":         {bundle: by(sigstore, minuteAgo, log), stamp: required, reason: "it has no time stamp"},
		"another authority's certificate": {bundle: by(other, minuteAgo, log), reason: "its certificate is not by a trusted authority"},
		"another log":                     {bundle: by(sigstore.witnessedBy(other), minuteAgo, log), reason: "no trusted transparency log knows it"},
		"another authority's time stamp":  {bundle: by(sigstore.witnessedBy(other), minuteAgo, stamp), log: ignored, stamp: required, reason: "it has no trusted time stamp"},
		"a time stamp of a megabyte": {bundle: with(by(sigstore, minuteAgo, log), func(into, _ *protobundle.VerificationMaterial) {
			into.TimestampVerificationData = &protobundle.TimestampVerificationData{Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: make([]byte, 1<<20)}}}
		}), reason: "too large to be read"},
		"a hundred log entries": {bundle: with(by(sigstore, minuteAgo, log), func(into, from *protobundle.VerificationMaterial) {
			for range 100 {
				into.TlogEntries = append(into.TlogEntries, from.TlogEntries...)
			}
		}), reason: "more than 8 log entries"},
		"signed after the certificate's end":  {bundle: by(sigstore, now.Add(-40*time.Minute), log), reason: "certificate validity"},
		"signed before the certificate":       {bundle: by(sigstore, now.Add(40*time.Minute), log), reason: "certificate validity"},
		"stamped after the certificate's end": {bundle: by(sigstore, now.Add(-40*time.Minute), stamp), log: ignored, stamp: required, reason: "was not valid when it was signed"},
		"an intermediate that had expired":    {bundle: by(expiredInstance(t, sigstore), minuteAgo, log), reason: "was not valid when it was signed"},
		"no log promised the certificate":     {bundle: by(sigstore, minuteAgo, log), promised: true, reason: "no trusted log promised its certificate"},
		"a log entry of another signature": {bundle: with(by(sigstore, minuteAgo, log), func(into, from *protobundle.VerificationMaterial) {
			into.TlogEntries = from.TlogEntries
		}), reason: "signature does not match"},
		"a time stamp of another signature": {bundle: with(by(sigstore, minuteAgo, stamp), func(into, from *protobundle.VerificationMaterial) {
			into.TimestampVerificationData = from.TimestampVerificationData
		}), log: ignored, stamp: required, reason: "it has no trusted time stamp"},
		"the certificate of another signature": {bundle: with(by(sigstore, minuteAgo, log), func(into, from *protobundle.VerificationMaterial) {
			into.Content = from.Content
		}), reason: "not by the key of its certificate"},
		"a log entry at another time than was promised": {bundle: with(by(sigstore, minuteAgo, log), func(into, _ *protobundle.VerificationMaterial) {
			into.TlogEntries[0].IntegratedTime += 60
		}), reason: "no trusted transparency log knows it"},
		"a proof of another entry": {bundle: with(by(sigstore, minuteAgo, log), func(into, from *protobundle.VerificationMaterial) {
			into.TlogEntries[0].InclusionProof = from.TlogEntries[0].InclusionProof
		}), reason: "no trusted transparency log knows it"},
		"a log entry twice": {bundle: with(by(sigstore, minuteAgo, log), func(into, _ *protobundle.VerificationMaterial) {
			into.TlogEntries = append(into.TlogEntries, into.TlogEntries...)
		}), reason: "duplicate"},
		"a log entry without promise, whose time nobody vouches for": {bundle: with(by(sigstore, minuteAgo, log), func(into, _ *protobundle.VerificationMaterial) {
			into.TlogEntries[0].InclusionPromise = nil
		}), reason: "no trusted time says when it was signed"},
		"a log entry of no kind": {bundle: with(by(sigstore, minuteAgo, log), func(into, _ *protobundle.VerificationMaterial) {
			into.TlogEntries = []*protorekor.TransparencyLogEntry{{CanonicalizedBody: []byte("{}")}}
		}), reason: "its bundle cannot be read"},
	}
	s := servers(t)["a registry with referrers"]
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ref := s.push(t)
			refer(t, ref, tt.bundle(t, s, ref), signType)
			a := keyless(t, sigstore, trustedIdentity())
			a.TransparencyLog, a.Timestamps = tt.log, tt.stamp
			a.TrustRoot.Data = sigstore.trustRoot(t, tt.promised)
			got := evidence(t, ref, policy(a))
			if tt.reason != "" {
				requireReason(t, got, tt.reason)
				return
			}
			if diff := cmp.Diff([]string{"ci"}, signers(got)); diff != "" {
				t.Fatalf("signers (-want +got):\n%s\nrejected: %s", diff, reasons(got))
			}
		})
	}
}

// expiredInstance shares the log of another and has an intermediate of its own, which that one's trust root does not
// name: the name of the root must stay, so the trust root is changed instead.
func expiredInstance(t *testing.T, of *instance) *instance {
	t.Helper()
	expired := newInstance(t, time.Hour)
	expired.VirtualSigstore = of.VirtualSigstore
	of.expired = expired
	return expired
}

func TestAKeyWithWitnesses(t *testing.T) {
	sigstore := newInstance(t)
	k := newKey(t)
	s := servers(t)["a registry with referrers"]
	logged := func(t testing.TB, ref image.Reference) {
		b := k.bundle(t, statement(t, ref, signType, nil))
		b.VerificationMaterial.TlogEntries = []*protorekor.TransparencyLogEntry{sigstore.entryOf(t, k, b)}
		refer(t, ref, b, signType)
	}
	stamped := func(t testing.TB, ref image.Reference) {
		b := k.bundle(t, statement(t, ref, signType, nil))
		b.VerificationMaterial.TimestampVerificationData = sigstore.stampOver(t, b.GetDsseEnvelope().GetSignatures()[0].GetSig())
		refer(t, ref, b, signType)
	}
	tests := map[string]struct {
		attach     func(testing.TB, image.Reference)
		log, stamp bool
		reason     string
	}{
		"a log":                   {attach: logged, log: true},
		"a time stamp":            {attach: stamped, stamp: true},
		"a log is missing":        {attach: stamped, log: true, reason: "no trusted transparency log knows it"},
		"a time stamp is missing": {attach: logged, stamp: true, reason: "it has no time stamp"},
		"none is there":           {attach: k.signBundle, log: true, reason: "no trusted transparency log knows it"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ref := s.push(t)
			tt.attach(t, ref)
			a := k.authority("release")
			a.TrustRoot = &v1alpha1.TrustRoot{Data: sigstore.trustRoot(t, false)}
			if tt.log {
				a.TransparencyLog = v1alpha1.PresenceRequired
			}
			if tt.stamp {
				a.Timestamps = v1alpha1.PresenceRequired
			}
			got := evidence(t, ref, policy(a))
			if tt.reason != "" {
				requireReason(t, got, tt.reason)
				return
			}
			if len(got.Signatures) != 1 || got.Signatures[0].Time.IsZero() {
				t.Fatalf("signatures are %+v, want one with a time; rejected: %s", got.Signatures, reasons(got))
			}
		})
	}
}
