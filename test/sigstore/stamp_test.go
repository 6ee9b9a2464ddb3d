//go:build sigstore

package sigstore_test

import (
	"strings"
	"testing"

	"github.com/runeframeos/kubectl-rune/test/sigstore"
)

// testCosign3StampsWhatItDoesNotVerify is why the matrix refuses one kind of attestation: cosign 3.1 has the
// signature stamped, in the format of tags too, where it verifies a stamp of the whole envelope, as cosign 2 makes it. When
// this test fails, cosign has mended that, and the matrix loses its exception.
func (w *world) testCosign3StampsWhatItDoesNotVerify(t *testing.T) {
	s := w.sigstore
	registry := sigstore.RegistryWithReferrers(t)
	for cosign, want := range map[sigstore.Cosign]string{sigstore.V2: "", sigstore.V3: "hashed messages don't match"} {
		t.Run(string(cosign), func(t *testing.T) {
			options := sigstore.AttestOptions{
				SignOptions: sigstore.SignOptions{
					Image: registry.Push(t, repository, "v1"), Identity: &w.workflow, Cosign: cosign, Format: sigstore.Tag,
				},
				PredicateType: "vuln", Predicate: scan("LOW"),
			}
			s.Attest(t, options)
			options.Cosign = sigstore.V3
			err := s.CosignVerifyAttestation(t, options)
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("cosign answers with %v, want an error with %q", err, want)
			}
		})
	}
}
