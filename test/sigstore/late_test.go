//go:build sigstore

package sigstore_test

import (
	"strings"
	"testing"

	"github.com/runeframeos/kubectl-rune/test/sigstore"
)

func (w *world) testCosignRefusesASignatureByAnExpiredCertificate(t *testing.T) {
	s := w.sigstore
	registry := sigstore.RegistryWithReferrers(t)
	for _, cosign := range []sigstore.Cosign{sigstore.V2, sigstore.V3} {
		t.Run(string(cosign), func(t *testing.T) {
			options := sigstore.SignOptions{Identity: &w.workflow, Cosign: cosign, Late: true, Image: registry.Push(t, "team/web", "v1")}
			s.Sign(t, options)
			const want = "leaf certificate verification failed"
			if err := s.CosignVerify(t, options); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("cosign answers with %v, want an error with %q", err, want)
			}
		})
	}
}
