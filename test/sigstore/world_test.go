//go:build sigstore

package sigstore_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
	"github.com/runeframeos/kubectl-rune/test/sigstore"
)

const (
	environment = "production"
	repository  = "team/web"
	// maxAge of attestations.
	maxAge = 24 * time.Hour
)

// world is what all groups of the matrix share.
type world struct {
	sigstore         *sigstore.Sigstore
	compiler         *proof.Compiler
	trusted, foreign *sigstore.Key
	workflow         sigstore.Identity
	// endedRoot trusts Fulcio's certificates of long ago only.
	endedRoot []byte
}

func newWorld(t *testing.T) *world {
	t.Helper()
	compiler, err := proof.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	s := sigstore.Start(t)
	return &world{
		sigstore: s, compiler: compiler, trusted: s.NewKey(t), foreign: s.NewKey(t),
		workflow:  s.Workflow("acme/web", "refs/heads/main"),
		endedRoot: s.TrustedRootOf(t, sigstore.Trust{CertificateAuthorityEnd: time.Now().Add(-time.Hour)}),
	}
}

// specimen is one thing that was signed, and what an attacker made of it.
type specimen struct {
	// signed is the image that was signed; transplanted has its signature as it is, forged with the payload
	// rewritten. late was signed after the certificate's end, where there is one.
	signed, transplanted, forged, late image.Reference
}

func (w *world) newSpecimen(t *testing.T, registry *sigstore.Registry, options sigstore.SignOptions, about subject) specimen {
	t.Helper()
	s := specimen{
		signed: registry.Push(t, repository, "signed"), transplanted: registry.Push(t, repository, "transplanted"),
		forged: registry.Push(t, repository, "forged"),
	}
	options.Image = s.signed
	w.sign(t, options, about)
	registry.Transplant(t, s.signed, s.transplanted)
	registry.Forge(t, s.signed, s.forged)
	if options.Identity != nil {
		s.late = registry.Push(t, repository, "late")
		options.Image, options.Late = s.late, true
		w.sign(t, options, about)
	}
	return s
}

func (w *world) sign(t *testing.T, options sigstore.SignOptions, about subject) {
	t.Helper()
	if about == signatures {
		w.sigstore.Sign(t, options)
		return
	}
	w.sigstore.Attest(t, sigstore.AttestOptions{SignOptions: options, PredicateType: "vuln", Predicate: scan("LOW")})
}

// scan is what Trivy finds, in cosign's predicate for vulnerabilities.
func scan(severity string) map[string]any {
	now := time.Now().UTC().Format(time.RFC3339)
	return map[string]any{
		"invocation": map[string]any{},
		"scanner": map[string]any{
			"uri": "https://github.com/aquasecurity/trivy", "version": "0.60.0",
			"result": map[string]any{"SchemaVersion": 2, "Results": []any{map[string]any{
				"Target": "web", "Vulnerabilities": []any{map[string]any{"VulnerabilityID": "CVE-2026-0001", "Severity": severity}},
			}}},
		},
		"metadata": map[string]any{"scanStartedOn": now, "scanFinishedOn": now},
	}
}

// The authorities of the cells.

func trustedKey(w *world, _ sigstore.Witness) v1alpha1.Authority { return keyOf(w.trusted) }

func foreignKey(w *world, _ sigstore.Witness) v1alpha1.Authority { return keyOf(w.foreign) }

func expiredKey(w *world, _ sigstore.Witness) v1alpha1.Authority {
	authority := keyOf(w.trusted)
	authority.Key.NotAfter = &metav1.Time{Time: time.Now().Add(-time.Minute)}
	return authority
}

func keyOf(key *sigstore.Key) v1alpha1.Authority {
	return v1alpha1.Authority{Name: "release", Key: &v1alpha1.KeyAuthority{Data: string(key.Public)}}
}

func trustedWorkflow(w *world, witness sigstore.Witness) v1alpha1.Authority {
	return w.identity(w.workflow, witness)
}

func otherRepository(w *world, witness sigstore.Witness) v1alpha1.Authority {
	return w.identity(w.sigstore.Workflow("acme/other", "refs/heads/main"), witness)
}

// otherBranch differs in what the certificate's extension says only.
func otherBranch(w *world, witness sigstore.Witness) v1alpha1.Authority {
	other := w.workflow
	other.SourceRef = "refs/heads/develop"
	return w.identity(other, witness)
}

func otherIssuer(w *world, witness sigstore.Witness) v1alpha1.Authority {
	return w.identity(w.sigstore.OtherWorkflow("acme/web", "refs/heads/main"), witness)
}

func expiredAuthority(w *world, witness sigstore.Witness) v1alpha1.Authority {
	authority := w.identity(w.workflow, witness)
	authority.TrustRoot.Data = string(w.endedRoot)
	return authority
}

// identity trusts who a certificate names, and asks for the witnesses.
func (w *world) identity(who sigstore.Identity, witness sigstore.Witness) v1alpha1.Authority {
	authority := v1alpha1.Authority{
		Name: "release",
		Keyless: &v1alpha1.KeylessAuthority{Identities: []v1alpha1.CertificateIdentity{{
			Issuer: who.Issuer, Subject: who.Subject,
			Extensions: []v1alpha1.CertificateExtension{
				{Name: v1alpha1.ExtensionSourceRepositoryURI, Value: who.SourceRepository},
				{Name: v1alpha1.ExtensionSourceRepositoryRef, Value: who.SourceRef},
				{Name: v1alpha1.ExtensionBuildConfigURI, Value: who.Workflow},
			},
		}}},
		TrustRoot:       &v1alpha1.TrustRoot{Data: string(w.sigstore.TrustedRoot())},
		TransparencyLog: v1alpha1.PresenceRequired, Timestamps: v1alpha1.PresenceRequired,
	}
	switch witness {
	case sigstore.StampAlone:
		authority.TransparencyLog = v1alpha1.PresenceIgnored
	case sigstore.LogAlone:
		authority.Timestamps = v1alpha1.PresenceIgnored
	case sigstore.LogAndStamp:
	}
	return authority
}

// ask asks a verifier that knows nothing yet. That nobody could tell is never what is expected.
func (w *world) ask(t *testing.T, ref image.Reference, policy *v1alpha1.ImagePolicy, now time.Time) proof.Finding {
	t.Helper()
	requirement, err := w.compiler.Compile(policy)
	if err != nil {
		t.Fatal(err)
	}
	finding, err := newVerifier(t).Verify(t.Context(), proof.Question{
		Image: ref, Requirement: requirement, Environment: environment, Now: now,
	})
	if err != nil {
		t.Fatalf("nobody could tell: %v", err)
	}
	return finding
}

// expect compares a finding with what the user is to read where the image is refused, empty where it is
// verified.
func expect(t *testing.T, finding proof.Finding, want string) {
	t.Helper()
	reasons := strings.Join(finding.Outcome.Reasons, "\n  ")
	switch {
	case want == "" && !finding.Outcome.Satisfied:
		t.Errorf("the image is refused:\n  %s\nwhat did not count: %+v", reasons, finding.Evidence.Rejected)
	case want != "" && finding.Outcome.Satisfied:
		t.Errorf("the image is verified, want it refused for %q: %+v", want, finding.Outcome)
	case !strings.Contains(reasons, want):
		t.Errorf("the image is refused for\n  %s\nwant %q; what did not count: %+v", reasons, want, finding.Evidence.Rejected)
	}
}
