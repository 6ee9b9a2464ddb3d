package configuration

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

const (
	// minRSABits is what NIST SP 800-131A asks of a key that signs.
	minRSABits = 2048
	// maxRSABits keeps a policy from making every verification slow: https://go.dev/issue/61460.
	maxRSABits = 8192
	// minRSAExponent is the least that there is; with 1, everybody could sign.
	minRSAExponent = 3
)

// keyServices are how URIs of keys in a key management service begin.
func keyServices() []string {
	return []string{"awskms://", "gcpkms://", "azurekms://", "hashivault://"}
}

func (p *problems) key(field string, key *v1alpha1.KeyAuthority) {
	given := 0
	for _, there := range []bool{key.Data != "", key.SecretRef != nil, key.KMS != ""} {
		if there {
			given++
		}
	}
	if given != 1 {
		p.add(field, "must have exactly one of data, secretRef and kms")
		return
	}
	switch {
	case key.Data != "":
		if _, err := readKey(key.Data); err != nil {
			p.add(field+".data", "%s", err)
		}
	case key.SecretRef != nil && key.SecretRef.Name == "":
		p.add(field+".secretRef.name", "must name a Secret in the webhook's namespace")
	case key.KMS != "" && !slices.ContainsFunc(keyServices(), func(prefix string) bool { return strings.HasPrefix(key.KMS, prefix) && len(key.KMS) > len(prefix) }):
		p.add(field+".kms", "%q does not begin with one of %s and a key", key.KMS, strings.Join(keyServices(), ", "))
	}
}

// readKey reads one public key in PEM form, of a kind that may sign.
func readKey(text string) (crypto.PublicKey, error) {
	block, rest := pem.Decode([]byte(text))
	switch {
	case block == nil:
		return nil, errors.New("is no PEM block: paste the content of cosign.pub")
	case strings.Contains(block.Type, "PRIVATE KEY"):
		return nil, errors.New("is a private key: paste the content of cosign.pub, and replace the key, which can be read here")
	case block.Type != "PUBLIC KEY":
		return nil, fmt.Errorf("is a PEM block %s: paste a PUBLIC KEY, as in cosign.pub", block.Type)
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, errors.New("holds more than one PEM block: each authority has one key")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("is no public key: %w", err)
	}
	switch key := key.(type) {
	case *ecdsa.PublicKey, ed25519.PublicKey:
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits {
			return nil, fmt.Errorf("is an RSA key of %d bits and must have at least %d", bits, minRSABits)
		} else if bits > maxRSABits {
			return nil, fmt.Errorf("is an RSA key of %d bits and may have at most %d", bits, maxRSABits)
		}
		if key.E < minRSAExponent || key.E%2 == 0 {
			return nil, fmt.Errorf("is an RSA key with the exponent %d, which proves nothing: make one with `cosign generate-key-pair`", key.E)
		}
	default:
		return nil, fmt.Errorf("is a key of type %T: ECDSA, Ed25519 and RSA keys can sign images", key)
	}
	return key, nil
}

// sameKey tells whether two authorities have one key, as far as the policy shows it.
func sameKey(a, b *v1alpha1.KeyAuthority) bool {
	switch {
	case a.SecretRef != nil && b.SecretRef != nil:
		return a.SecretRef.Name == b.SecretRef.Name && secretKey(a.SecretRef) == secretKey(b.SecretRef)
	case a.KMS != "" || b.KMS != "":
		return a.KMS == b.KMS
	case a.Data == "" || b.Data == "":
		return false
	}
	first, err := readKey(a.Data)
	if err != nil {
		return false
	}
	second, err := readKey(b.Data)
	if err != nil {
		return false
	}
	comparable, ok := first.(interface{ Equal(crypto.PublicKey) bool })
	return ok && comparable.Equal(second)
}

func secretKey(ref *v1alpha1.KeySecretReference) string {
	if ref.Key == "" {
		return "cosign.pub"
	}
	return ref.Key
}
