package verification_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

func TestKeysOfAllKinds(t *testing.T) {
	curve := func(c elliptic.Curve, hash crypto.Hash) func(*testing.T) key {
		return func(t *testing.T) key {
			private, err := ecdsa.GenerateKey(c, rand.Reader)
			must(t, err)
			signer, err := signature.LoadECDSASigner(private, hash)
			must(t, err)
			return keyOf(t, signer, private.Public())
		}
	}
	rsaKey := func(pss bool, hash crypto.Hash) func(*testing.T) key {
		return func(t *testing.T) key {
			private, err := rsa.GenerateKey(rand.Reader, 2048)
			must(t, err)
			var signer signature.Signer
			if pss {
				signer, err = signature.LoadRSAPSSSigner(private, hash, nil)
			} else {
				signer, err = signature.LoadRSAPKCS1v15Signer(private, hash)
			}
			must(t, err)
			return keyOf(t, signer, private.Public())
		}
	}
	edwards := func(t *testing.T) key {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		must(t, err)
		signer, err := signature.LoadED25519Signer(private)
		must(t, err)
		return keyOf(t, signer, public)
	}
	tests := map[string]func(*testing.T) key{
		"ECDSA P-224 as cosign":         curve(elliptic.P224(), crypto.SHA256),
		"ECDSA P-256":                   curve(elliptic.P256(), crypto.SHA256),
		"ECDSA P-384 as cosign 2":       curve(elliptic.P384(), crypto.SHA256),
		"ECDSA P-384 with its own hash": curve(elliptic.P384(), crypto.SHA384),
		"ECDSA P-521 as cosign 2":       curve(elliptic.P521(), crypto.SHA256),
		"ECDSA P-521 with its own hash": curve(elliptic.P521(), crypto.SHA512),
		"RSA":                           rsaKey(false, crypto.SHA256),
		"RSA with SHA-512":              rsaKey(false, crypto.SHA512),
		"RSA PSS":                       rsaKey(true, crypto.SHA256),
		"Ed25519":                       edwards,
	}
	places := map[string]func(*testing.T, key, image.Reference){
		"a tag":    func(t *testing.T, k key, ref image.Reference) { k.sign(t, ref) },
		"a bundle": func(t *testing.T, k key, ref image.Reference) { k.signBundle(t, ref) },
	}
	s := servers(t)["a registry with referrers"]
	for name, make := range tests {
		k := make(t)
		for place, sign := range places {
			t.Run(name+" in "+place, func(t *testing.T) {
				ref := s.push(t)
				sign(t, k, ref)
				got := evidence(t, ref, policy(k.authority("release")))
				if diff := cmp.Diff([]string{"release"}, signers(got)); diff != "" {
					t.Errorf("signers (-want +got):\n%s\nrejected: %s", diff, reasons(got))
				}
			})
		}
	}
}

func TestKeysThatAreNotTaken(t *testing.T) {
	weak := &rsa.PublicKey{N: new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 1023), big.NewInt(1)), E: 65537}
	long := &rsa.PublicKey{N: new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 16383), big.NewInt(1)), E: 65537}
	tests := map[string]struct {
		key  string
		want string
	}{
		"a short RSA key": {key: keyOf(t, nil, weak).public, want: "1024 bits is too short"},
		"a long RSA key":  {key: keyOf(t, nil, long).public, want: "16384 bits is too long"},
		"no PEM":          {key: "no PEM", want: "PEM"},
		"a broken one":    {key: "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", want: "asn1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := verifier(t).Prepare(t.Context(), compileAnyhow(t, policy(key{public: tt.key}.authority("release"))))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), `authority "release" of ImagePolicy "trusted"`) {
				t.Errorf("error is %v, want one with %q that names the authority", err, tt.want)
			}
		})
	}
}
