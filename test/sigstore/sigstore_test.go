//go:build sigstore

package sigstore_test

import (
	"strings"
	"testing"

	"github.com/runeframeos/kubectl-rune/test/sigstore"
)

// TestCosignVerifiesWhatItSigned shows that the services and the trusted root belong together: if cosign
// itself did not accept what it signed here, a refusal by Rune would prove nothing.
func TestCosignVerifiesWhatItSigned(t *testing.T) {
	s := sigstore.Start(t)
	key, workflow := s.NewKey(t), s.Workflow("acme/web", "refs/heads/main")
	registries := map[string]*sigstore.Registry{
		"with referrers": sigstore.RegistryWithReferrers(t), "without referrers": s.RegistryWithoutReferrers(t),
	}
	signers := map[string]sigstore.SignOptions{
		"version 2, a key": {Cosign: sigstore.V2, Key: key}, "version 2, a workflow": {Cosign: sigstore.V2, Identity: &workflow},
		"a key": {Key: key}, "a key with a log entry": {Key: key, Logged: true}, "a workflow": {Identity: &workflow},
	}
	for registryName, registry := range registries {
		for signerName, options := range signers {
			t.Run(registryName+"/"+signerName, func(t *testing.T) {
				options.Image = registry.Push(t, "team/web", "v1")
				s.Sign(t, options)
				if err := s.CosignVerify(t, options); err != nil {
					t.Error(err)
				}
				transplanted, forged := options, options
				transplanted.Image, forged.Image = registry.Push(t, "team/web", "v2"), registry.Push(t, "team/web", "v3")
				registry.Transplant(t, options.Image, transplanted.Image)
				registry.Forge(t, options.Image, forged.Image)
				for refused, want := range map[*sigstore.SignOptions]string{
					&transplanted: "does not match any digest in statement", &forged: "failed to verify",
				} {
					if err := s.CosignVerify(t, *refused); err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("cosign answers for %s with %v, want an error with %q", refused.Image, err, want)
					}
				}
			})
		}
	}
}
