//go:build sigstore

package sigstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/runeframeos/kubectl-rune/test/sigstore"
)

// testCosign3StampsWhatItDoesNotVerify is why the matrix lacks one kind of attestation: cosign 3.1 has the signature
// stamped, in the format of tags too, where it verifies a stamp of the whole envelope, as cosign 2 makes it. Rune refuses
// it likewise. When this test fails, cosign has mended that, and the matrix loses its exception.
func (w *world) testCosign3StampsWhatItDoesNotVerify(t *testing.T) {
	w.eachRegistry(t, func(t *testing.T, registry *sigstore.Registry) {
		for cosign, want := range map[sigstore.Cosign]struct{ cosign, rune string }{
			sigstore.V2: {"", ""}, sigstore.V3: {"hashed messages don't match", "it has no trusted time stamp"},
		} {
			for _, witness := range []sigstore.Witness{sigstore.StampAlone, sigstore.LogAndStamp} {
				t.Run(string(cosign)+"/"+string(witness), func(t *testing.T) {
					options := sigstore.AttestOptions{
						SignOptions: sigstore.SignOptions{
							Image: registry.Push(t, repository, "v1"), Identity: &w.workflow, Cosign: cosign, Format: sigstore.Tag, Witness: witness,
						},
						PredicateType: "vuln", Predicate: scan("LOW"),
					}
					w.sigstore.Attest(t, options)
					expect(t, w.ask(t, options.Image, policyOf(attestations, w.identity(w.workflow, witness)), time.Now()), want.rune)
					options.Cosign = sigstore.V3
					err := w.sigstore.CosignVerifyAttestation(t, options)
					if (err == nil) != (want.cosign == "") || err != nil && !strings.Contains(err.Error(), want.cosign) {
						t.Errorf("cosign answers with %v, want an error with %q", err, want.cosign)
					}
				})
			}
		}
	})
}
