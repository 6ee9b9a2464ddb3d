package verification

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
)

// The least and the greatest size of an RSA key, in bits. Strangers' certificates have keys too, and one of a million
// bits takes minutes to verify by: https://go.dev/issue/61460.
const (
	minRSA = 2048
	maxRSA = 8192
)

// publicKey verifies what its private key signed, whichever of the algorithms it used that go with such a key: cosign
// signs with SHA-256 whatever the curve is, cosign 3 and key management services with the hash that suits the key.
type publicKey struct {
	key crypto.PublicKey
	// signer identifies the key: "sha256:" and the hash of its DER form.
	signer    string
	verifiers []signature.Verifier
}

// readPublicKey reads a PEM block as `cosign generate-key-pair` writes it.
func readPublicKey(pem []byte) (*publicKey, error) {
	key, err := cryptoutils.UnmarshalPEMToPublicKey(pem)
	if err != nil {
		return nil, fmt.Errorf("it is no public key in PEM: %w", err)
	}
	return newPublicKey(key)
}

func newPublicKey(key crypto.PublicKey) (*publicKey, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, err
	}
	verifiers, err := verifiersOf(key)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(der)
	return &publicKey{key: key, signer: "sha256:" + hex.EncodeToString(sum[:]), verifiers: verifiers}, nil
}

func verifiersOf(key crypto.PublicKey) ([]signature.Verifier, error) {
	var list []signature.Verifier
	var problems []error
	add := func(verifier signature.Verifier, err error) {
		list, problems = append(list, verifier), append(problems, err)
	}
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		add(signature.LoadECDSAVerifier(key, crypto.SHA256))
		switch key.Curve {
		case elliptic.P384():
			add(signature.LoadECDSAVerifier(key, crypto.SHA384))
		case elliptic.P521():
			add(signature.LoadECDSAVerifier(key, crypto.SHA512))
		}
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSA {
			return nil, fmt.Errorf("an RSA key of %d bits is too short: it needs %d", key.N.BitLen(), minRSA)
		}
		if key.N.BitLen() > maxRSA {
			return nil, fmt.Errorf("an RSA key of %d bits is too long: it may have %d", key.N.BitLen(), maxRSA)
		}
		for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
			add(signature.LoadRSAPKCS1v15Verifier(key, hash))
			add(signature.LoadRSAPSSVerifier(key, hash, nil))
		}
	case ed25519.PublicKey:
		add(signature.LoadED25519Verifier(key))
		add(signature.LoadED25519phVerifier(key))
	default:
		return nil, fmt.Errorf("a key of type %T is not supported: use ECDSA, RSA or Ed25519", key)
	}
	return list, errors.Join(problems...)
}

// verifies tells whether the key signed a message.
func (k *publicKey) verifies(message, sig []byte) bool {
	for _, verifier := range k.verifiers {
		if verifier.VerifySignature(bytes.NewReader(sig), bytes.NewReader(message)) == nil {
			return true
		}
	}
	return false
}

// equals tells whether it is the same key, be it in a certificate.
func (k *publicKey) equals(other any) bool {
	if certificate, ok := other.(*x509.Certificate); ok {
		other = certificate.PublicKey
	}
	comparable, ok := k.key.(interface{ Equal(crypto.PublicKey) bool })
	return ok && other != nil && comparable.Equal(other)
}
