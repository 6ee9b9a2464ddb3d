//go:build sigstore

package sigstore_test

import (
	"strings"
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/test/sigstore"
)

// testCosignVerifiesWhatItSigned shows that the services and the trusted root belong together: if cosign
// itself did not accept what it signed here, a refusal by Rune would prove nothing.
func (w *world) testCosignVerifiesWhatItSigned(t *testing.T) {
	s := w.sigstore
	registries := map[string]*sigstore.Registry{
		"with referrers": sigstore.RegistryWithReferrers(t), "without referrers": s.RegistryWithoutReferrers(t),
	}
	signers := map[string]sigstore.SignOptions{
		"a key": {Key: w.trusted}, "a key with witnesses": {Key: w.trusted, Logged: true}, "a workflow": {Identity: &w.workflow},
		"a workflow before a log":   {Identity: &w.workflow, Witness: sigstore.LogAlone},
		"a workflow before a clock": {Identity: &w.workflow, Witness: sigstore.StampAlone},
		"a workflow before both":    {Identity: &w.workflow, Witness: sigstore.LogAndStamp},
	}
	options := map[string]sigstore.SignOptions{}
	for _, cosign := range []sigstore.Cosign{sigstore.V2, sigstore.V3} {
		for _, format := range []sigstore.Format{sigstore.Tag, sigstore.Bundle} {
			for name, o := range signers {
				o.Cosign, o.Format = cosign, format
				options[strings.Join([]string{"cosign " + string(cosign), string(format), name}, "/")] = o
			}
		}
	}
	const transplanted, forged = "v2", "v3"
	refusals := map[sigstore.Format]map[string]string{
		sigstore.Tag:    {transplanted: "invalid or missing digest in claim", forged: "invalid signature"},
		sigstore.Bundle: {transplanted: "does not match any digest in statement", forged: "failed to verify"},
	}
	for registryName, registry := range registries {
		for name, options := range options {
			t.Run(registryName+"/"+name, func(t *testing.T) {
				t.Parallel()
				options.Image = registry.Push(t, repository, "v1")
				s.Sign(t, options)
				if err := s.CosignVerify(t, options); err != nil {
					t.Error(err)
				}
				for attack, graft := range map[string]func(testing.TB, image.Reference, image.Reference){
					transplanted: registry.Transplant, forged: registry.Forge,
				} {
					other := options
					other.Image = registry.Push(t, repository, attack)
					graft(t, options.Image, other.Image)
					want := refusals[options.Format][attack]
					if options.EnteredInRekor1() && options.Format == sigstore.Tag && attack == forged {
						want = "matching bundle to payload" // it asks for the entry first
					}
					if err := s.CosignVerify(t, other); err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("cosign answers for %s with %v, want an error with %q", other.Image, err, want)
					}
				}
			})
		}
	}
}
