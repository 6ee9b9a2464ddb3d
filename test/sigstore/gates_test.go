//go:build sigstore

package sigstore_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/files"
	"github.com/runeframeos/kubectl-rune/test/sigstore"
)

// gatesDir holds the ready-made gates, reportsDir what the tools write.
const (
	gatesDir   = "../../manifests/profiles/runeframeos/gates"
	reportsDir = "../../manifests/testdata/gates"
)

// testGates puts the ready-made gates before an image that a pipeline signs and attests as their comments say.
// Nothing in them is changed but who the public services are.
func (w *world) testGates(t *testing.T) {
	const source = "runeframeos/rune-frame-os"
	main, develop := w.sigstore.Workflow(source, "refs/heads/main"), w.sigstore.Workflow(source, "refs/heads/develop")
	registry := w.sigstore.RegistryWithoutReferrers(t)
	production, staging := w.gate(t, "production", registry), w.gate(t, "staging", registry)
	for _, cosign := range []sigstore.Cosign{sigstore.V2, sigstore.V3} {
		t.Run(string(cosign), func(t *testing.T) {
			t.Parallel()
			released := registry.Push(t, "runeframeos/distilera", "released-"+string(cosign))
			w.release(t, sigstore.SignOptions{Image: released, Identity: &main, Cosign: cosign}, nil)
			expect(t, w.askFor(t, "runeframeos-prod", released, production), "")
			expect(t, w.askFor(t, "runeframeos-staging", released, staging), `release.yaml@refs/heads/main" of issuer`)

			integrated := registry.Push(t, "runeframeos/distilera", "integrated-"+string(cosign))
			w.release(t, sigstore.SignOptions{Image: integrated, Identity: &develop, Cosign: cosign}, nil)
			expect(t, w.askFor(t, "runeframeos-staging", integrated, staging), "")
			expect(t, w.askFor(t, "runeframeos-prod", integrated, production), `release.yaml@refs/heads/develop" of issuer`)

			requested, requester := registry.Push(t, "runeframeos/distilera", "requested-"+string(cosign)), main.TriggeredBy("pull_request_target")
			w.release(t, sigstore.SignOptions{Image: requested, Identity: &requester, Cosign: cosign}, nil)
			expect(t, w.askFor(t, "runeframeos-prod", requested, production), `"pull_request_target" of BuildTrigger, which is not trusted`)

			vulnerable := registry.Push(t, "runeframeos/distilera", "vulnerable-"+string(cosign))
			w.release(t, sigstore.SignOptions{Image: vulnerable, Identity: &main, Cosign: cosign}, map[string]string{`"MEDIUM"`: `"CRITICAL"`})
			expect(t, w.askFor(t, "runeframeos-prod", vulnerable, production), "the image has vulnerabilities of severity HIGH or CRITICAL")
		})
	}
}

// gate reads an ImagePolicy of the profile and has it trust this Sigstore instead of the public one.
func (w *world) gate(t *testing.T, name string, registry *sigstore.Registry) *v1alpha1.ImagePolicy {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(gatesDir, name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for public, ours := range map[string]string{
		"https://token.actions.githubusercontent.com": w.workflow.Issuer,
		"registry.runeframeos.com/**":                 registry.Host + "/**",
	} {
		if !bytes.Contains(content, []byte(public)) {
			t.Fatalf("the gate of %s does not name %q", name, public)
		}
		content = bytes.ReplaceAll(content, []byte(public), []byte(ours))
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "gate.yaml"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	loader, err := files.NewLoader()
	if err != nil {
		t.Fatal(err)
	}
	set, err := loader.Load(t.Context(), os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	policy := &set.ImagePolicies[0]
	authority := &policy.Spec.Authorities[0]
	authority.TrustRoot = &v1alpha1.TrustRoot{Data: string(w.sigstore.TrustedRoot())}
	// The public Rekor says the time itself; one of version 2, as here, leaves that to a stamp.
	authority.TransparencyLog, authority.Timestamps = v1alpha1.PresenceRequired, v1alpha1.PresenceRequired
	return policy
}

// release signs an image and attests what the tools found, with some of their words replaced.
func (w *world) release(t *testing.T, options sigstore.SignOptions, replace map[string]string) {
	t.Helper()
	w.sigstore.Sign(t, options)
	for predicateType, report := range map[string]string{
		"vuln": "trivy.json", "https://runeframeos.com/attestations/coverage": "jest.json",
		"https://json.schemastore.org/sarif-2.1.0.json": "eslint.json",
	} {
		content, err := os.ReadFile(filepath.Join(reportsDir, report))
		if err != nil {
			t.Fatal(err)
		}
		for before, after := range replace {
			content = bytes.ReplaceAll(content, []byte(before), []byte(after))
		}
		w.sigstore.Attest(t, sigstore.AttestOptions{SignOptions: options, PredicateType: predicateType, Predicate: json.RawMessage(content)})
	}
}

// askFor asks for one environment.
func (w *world) askFor(t *testing.T, environment string, ref image.Reference, policy *v1alpha1.ImagePolicy) proof.Finding {
	t.Helper()
	requirement, err := w.compiler.Compile(policy)
	if err != nil {
		t.Fatal(err)
	}
	if !requirement.Covers(environment, ref) {
		t.Fatalf("the gate does not cover %s in %s", ref, environment)
	}
	finding, err := newVerifier(t).Verify(t.Context(), proof.Question{
		Image: ref, Requirement: requirement, Environment: environment, Now: time.Now(),
	})
	if err != nil {
		t.Fatalf("nobody could tell: %v", err)
	}
	return finding
}
