//go:build sigstore

package sigstore_test

import (
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/runeframeos/kubectl-rune/pkg/signature"
)

// newVerifier returns a verifier that knows nothing yet.
func newVerifier(t *testing.T) *signature.Verifier {
	t.Helper()
	verifier, err := signature.New(signature.Config{Keychain: authn.NewMultiKeychain()})
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}
