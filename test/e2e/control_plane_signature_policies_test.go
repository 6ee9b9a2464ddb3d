//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/test/registry"
)

// brokenPolicy is an ImagePolicy that must not be created, and what the API server's answer must say.
type brokenPolicy struct {
	mutate func(spec *v1alpha1.ImagePolicySpec)
	want   []string
}

// keyless is an authority of one identity.
func keyless(identity v1alpha1.CertificateIdentity) v1alpha1.Authority {
	return v1alpha1.Authority{Name: "ci", Keyless: &v1alpha1.KeylessAuthority{Identities: []v1alpha1.CertificateIdentity{identity}}}
}

const actions = "https://token.actions.githubusercontent.com"

// schemaRefuses are policies that the API server's own validation refuses, with or without a webhook.
func schemaRefuses() map[string]brokenPolicy {
	identity := func(identity v1alpha1.CertificateIdentity) func(*v1alpha1.ImagePolicySpec) {
		return func(spec *v1alpha1.ImagePolicySpec) { spec.Authorities = []v1alpha1.Authority{keyless(identity)} }
	}
	const anchors = "must begin with ^ and end with $"
	return map[string]brokenPolicy{
		"a subject that is not anchored at its end": {
			identity(v1alpha1.CertificateIdentity{Issuer: actions, SubjectRegExp: "^https://github.com/org/"}),
			[]string{"subjectRegExp", anchors}},
		"a subject that is not anchored at its beginning": {
			identity(v1alpha1.CertificateIdentity{Issuer: actions, SubjectRegExp: "github.com/org/.*$"}),
			[]string{"subjectRegExp", anchors}},
		"an issuer that is not anchored": {
			identity(v1alpha1.CertificateIdentity{IssuerRegExp: "accounts.example.com", Subject: "ann@example.com"}),
			[]string{"issuerRegExp", anchors}},
		"an extension that is not anchored": {
			identity(v1alpha1.CertificateIdentity{Issuer: actions, Subject: "x", Extensions: []v1alpha1.CertificateExtension{
				{Name: v1alpha1.ExtensionSourceRepositoryRef, RegExp: "refs/heads/main"}}}),
			[]string{"extensions[0].regExp", anchors}},
		"an identity without a subject": {
			identity(v1alpha1.CertificateIdentity{Issuer: actions}), []string{"exactly one of subject and subjectRegExp"}},
		"an identity without an issuer": {
			identity(v1alpha1.CertificateIdentity{Subject: "x"}), []string{"exactly one of issuer and issuerRegExp"}},
		"an authority that is nobody": {
			func(spec *v1alpha1.ImagePolicySpec) { spec.Authorities[0].Key = nil }, []string{"exactly one of key and keyless"}},
		"a keyless authority without a witness of the time": {
			func(spec *v1alpha1.ImagePolicySpec) {
				authority := keyless(v1alpha1.CertificateIdentity{Issuer: actions, Subject: "x"})
				authority.TransparencyLog = v1alpha1.PresenceIgnored
				spec.Authorities = []v1alpha1.Authority{authority}
			}, []string{"needs a trusted time"}},
		"more signatures than authorities": {
			func(spec *v1alpha1.ImagePolicySpec) {
				two := int32(2)
				spec.Require, spec.AtLeast = v1alpha1.RequireAtLeast, &two
			}, []string{"more than there are authorities"}},
		"AtLeast without a number": {
			func(spec *v1alpha1.ImagePolicySpec) { spec.Require = v1alpha1.RequireAtLeast }, []string{"atLeast goes with require"}},
		"only attestations, and none": {
			func(spec *v1alpha1.ImagePolicySpec) { spec.Require = v1alpha1.RequireAttestationsOnly },
			[]string{"needs attestations"}},
		"a KMS that nobody knows": {
			func(spec *v1alpha1.ImagePolicySpec) {
				spec.Authorities[0].Key = &v1alpha1.KeyAuthority{KMS: "kms://key"}
			}, []string{"must begin with awskms://"}},
	}
}

// webhookRefuses are policies of which only the webhook can say what is wrong.
func webhookRefuses(key *registry.Key) map[string]brokenPolicy {
	pem := func(text string) func(*v1alpha1.ImagePolicySpec) {
		return func(spec *v1alpha1.ImagePolicySpec) { spec.Authorities[0].Key.Data = text }
	}
	attestation := func(change func(*v1alpha1.AttestationRequirement)) func(*v1alpha1.ImagePolicySpec) {
		return func(spec *v1alpha1.ImagePolicySpec) {
			a := v1alpha1.AttestationRequirement{Name: "scan", PredicateType: "vuln"}
			change(&a)
			spec.Attestations = []v1alpha1.AttestationRequirement{a}
		}
	}
	subject := func(expression string) func(*v1alpha1.ImagePolicySpec) {
		return func(spec *v1alpha1.ImagePolicySpec) {
			spec.Authorities = []v1alpha1.Authority{keyless(v1alpha1.CertificateIdentity{Issuer: actions, SubjectRegExp: expression})}
		}
	}
	return map[string]brokenPolicy{
		"a key that is a frame without a picture": {
			pem("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), []string{"spec.authorities[0].key.data"}},
		"a glob that matches nothing": {
			func(spec *v1alpha1.ImagePolicySpec) { spec.Images = []string{"registry.example.com/Web"} },
			[]string{"spec.images[0]", "lower-case"}},
		"anchors that an alternative escapes": {
			subject("^https://github.com/org/web$|^.*$"), []string{"spec.authorities[0].keyless.identities[0].subjectRegExp", "^"}},
		"anchors of only a half": {
			subject("^a|b$"), []string{"spec.authorities[0].keyless.identities[0].subjectRegExp"}},
		"an expression that does not compile": {
			subject("^(a$"), []string{"spec.authorities[0].keyless.identities[0].subjectRegExp"}},
		"one key under two names, counted as two": {
			func(spec *v1alpha1.ImagePolicySpec) {
				two := int32(2)
				spec.Require, spec.AtLeast = v1alpha1.RequireAtLeast, &two
				spec.Authorities = append(spec.Authorities, v1alpha1.Authority{Name: "same", Key: &v1alpha1.KeyAuthority{Data: key.PEM}})
			}, []string{"spec.authorities", `"release"`, `"same"`}},
		"a condition that is no expression": {
			attestation(func(a *v1alpha1.AttestationRequirement) {
				a.Conditions = []v1alpha1.AttestationCondition{{Name: "broken", Expression: "predicate.", Message: "x"}}
			}), []string{"spec.attestations[0].conditions[0].expression"}},
		"a condition that is neither true nor false": {
			attestation(func(a *v1alpha1.AttestationRequirement) {
				a.Conditions = []v1alpha1.AttestationCondition{{Name: "number", Expression: "1 + 1", Message: "x"}}
			}), []string{"spec.attestations[0].conditions[0].expression", "bool"}},
		"an attestation by an authority that there is not": {
			attestation(func(a *v1alpha1.AttestationRequirement) { a.Authorities = []string{"nobody"} }),
			[]string{"spec.attestations[0].authorities", `"nobody"`}},
		"a trust root that is none": {
			func(spec *v1alpha1.ImagePolicySpec) { spec.Authorities[0].TrustRoot = &v1alpha1.TrustRoot{Data: "{"} },
			[]string{"spec.authorities[0].trustRoot.data"}},
	}
}

// TestControlPlaneSignaturePolicies: who writes a policy that nobody could judge by learns it at once, in words.
func TestControlPlaneSignaturePolicies(t *testing.T) {
	s := shared.signing(t, "policies", registry.Options{})
	create := func(t *testing.T, broken brokenPolicy) result {
		policy := s.policy("shop", s.release)
		broken.mutate(&policy.Spec)
		cmd := s.command(t.Context(), "admin", s.cluster.Kubectl, "create", "--dry-run=server", "-f", "-")
		cmd.Stdin = strings.NewReader(manifest(t, policy))
		return s.run(t, cmd)
	}
	for name, broken := range schemaRefuses() {
		t.Run("by its schema: "+name, func(t *testing.T) { create(t, broken).want(t, 1, broken.want...) })
	}
	s.process(t)
	s.enforce(t)
	for name, broken := range webhookRefuses(s.release) {
		t.Run("by the webhook: "+name, func(t *testing.T) {
			create(t, broken).want(t, 1, append(broken.want, `ImagePolicy "policies-shop" cannot be used to judge by`)...)
		})
	}
	t.Run("all that is wrong is told at once", func(t *testing.T) {
		create(t, brokenPolicy{mutate: func(spec *v1alpha1.ImagePolicySpec) {
			spec.Images = []string{"registry.example.com/Web", "web"}
			spec.Authorities = append(spec.Authorities, keyless(v1alpha1.CertificateIdentity{Issuer: actions, SubjectRegExp: "^a|b$"}))
		}}).want(t, 1, "spec.images[0]", "spec.images[1]", "spec.authorities[1].keyless.identities[0].subjectRegExp")
	})
	t.Run("a good one is created", func(t *testing.T) {
		create(t, brokenPolicy{mutate: func(spec *v1alpha1.ImagePolicySpec) {
			spec.Authorities = append(spec.Authorities, keyless(v1alpha1.CertificateIdentity{
				Issuer: actions, SubjectRegExp: `^https://github\.com/org/(web|shop)/.*$`,
			}))
		}}).want(t, 0)
	})
}
