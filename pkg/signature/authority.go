package signature

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// signer is an authority whose key was read.
type signer struct {
	name string
	// fingerprint is the SHA-256 of the key itself, so that a verdict belongs to a key and not to a name.
	fingerprint string
	verifier    signature.Verifier
}

func readAuthorities(authorities []v1alpha1.Authority) ([]signer, error) {
	if len(authorities) == 0 {
		return nil, fmt.Errorf("verifying: no authority is trusted")
	}
	var signers []signer
	for _, authority := range authorities {
		if authority.Key == nil {
			return nil, fmt.Errorf("reading authority %q: it has no key", authority.Name)
		}
		key, err := cryptoutils.UnmarshalPEMToPublicKey([]byte(authority.Key.Data))
		if err != nil {
			return nil, fmt.Errorf("reading the key of authority %q: %w", authority.Name, err)
		}
		// cosign signs with SHA-256 whatever the curve is.
		verifier, err := signature.LoadVerifier(key, crypto.SHA256)
		if err != nil {
			return nil, fmt.Errorf("reading the key of authority %q: %w", authority.Name, err)
		}
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			return nil, fmt.Errorf("reading the key of authority %q: %w", authority.Name, err)
		}
		sum := sha256.Sum256(der)
		signers = append(signers, signer{name: authority.Name, fingerprint: hex.EncodeToString(sum[:]), verifier: verifier})
	}
	return signers, nil
}

// questionKey identifies a question to a registry: equal questions have equal answers.
func questionKey(ref image.Reference, signers []signer) string {
	var fingerprints []string
	for _, s := range signers {
		fingerprints = append(fingerprints, s.name+"="+s.fingerprint)
	}
	slices.Sort(fingerprints)
	return ref.Name() + "@" + ref.Digest + " " + strings.Join(fingerprints, ",")
}
