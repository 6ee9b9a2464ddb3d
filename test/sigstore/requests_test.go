//go:build sigstore

package sigstore_test

import (
	"testing"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
	"github.com/runeframeos/kubectl-rune/test/sigstore"
)

// testRequests counts what a registry is asked about an image that nobody has asked about before, by a process
// that knows the registry, where the policy names the format; and about the same image once more.
func (w *world) testRequests(t *testing.T) {
	registries := map[string]*sigstore.Registry{
		"referrers API": sigstore.RegistryWithReferrers(t), "no referrers API": w.sigstore.RegistryWithoutReferrers(t),
	}
	tests := map[string]struct {
		format v1alpha1.SignatureFormat
		signer sigstore.SignOptions
		want   int64
	}{
		"a tag by a key: its manifest and its payload": {
			v1alpha1.FormatTag, sigstore.SignOptions{Key: w.trusted, Format: sigstore.Tag}, 2,
		},
		"a bundle by a key: the referrers, a manifest and the bundle": {
			v1alpha1.FormatBundle, sigstore.SignOptions{Key: w.trusted}, 3,
		},
		"a bundle by a workflow: the same": {
			v1alpha1.FormatBundle, sigstore.SignOptions{Identity: &w.workflow}, 3,
		},
	}
	for name, tt := range tests {
		for registryName, registry := range registries {
			t.Run(registryName+"/"+name, func(t *testing.T) {
				known, unknown := registry.Push(t, repository, "known"), registry.Push(t, repository, "unknown")
				for _, ref := range []image.Reference{known, unknown} {
					tt.signer.Image = ref
					w.sigstore.Sign(t, tt.signer)
				}
				authority := keyOf(w.trusted)
				if tt.signer.Identity != nil {
					authority = trustedWorkflow(w, sigstore.LogAndStamp)
				}
				policy := policyOf(signatures, authority)
				policy.Spec.Formats = []v1alpha1.SignatureFormat{tt.format}
				requirement, err := w.compiler.Compile(policy)
				if err != nil {
					t.Fatal(err)
				}
				verifier := newVerifier(t)
				ask := func(ref image.Reference) int64 {
					before := registry.Requests()
					finding, err := verifier.Verify(t.Context(), proof.Question{Image: ref, Requirement: requirement, Environment: environment, Now: time.Now()})
					if err != nil {
						t.Fatal(err)
					}
					expect(t, finding, "")
					return registry.Requests() - before
				}
				ask(known)
				if got := ask(unknown); got != tt.want {
					t.Errorf("%d requests about an unknown image, want %d", got, tt.want)
				}
				if got := ask(unknown); got != 0 {
					t.Errorf("%d requests about the same image once more, want none", got)
				}
			})
		}
	}
}
