package registry_test

import (
	"crypto"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/sigstore/cosign/v2/pkg/cosign"
	ociremote "github.com/sigstore/cosign/v2/pkg/oci/remote"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	sigstoresig "github.com/sigstore/sigstore/pkg/signature"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/test/registry"
)

// options by which cosign verifies with a key and nothing else.
func options(t *testing.T, key *registry.Key) *cosign.CheckOpts {
	t.Helper()
	public, err := cryptoutils.UnmarshalPEMToPublicKey([]byte(key.PEM))
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := sigstoresig.LoadVerifier(public, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return &cosign.CheckOpts{SigVerifier: verifier, IgnoreTlog: true, Offline: true}
}

func digestOf(t *testing.T, ref image.Reference) name.Digest {
	t.Helper()
	digest, err := name.NewDigest(ref.Name() + "@" + ref.Digest)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// TestCosignReadsWhatIsSignedHere: else what is tested with it would be tested with a format of our own.
func TestCosignReadsWhatIsSignedHere(t *testing.T) {
	const vuln = "https://cosign.sigstore.dev/attestation/vuln/v1"
	for _, referrers := range []bool{true, false} {
		t.Run(fmt.Sprintf("referrers API %v", referrers), func(t *testing.T) {
			r := start(t, registry.Options{Referrers: referrers})
			key, other := newKey(t), newKey(t)
			ref := push(t, r, "v1")
			digest := digestOf(t, ref)
			for what, err := range map[string]error{
				"signing":            r.Sign(ref, key),
				"signing once more":  r.Sign(ref, newKey(t)),
				"attesting":          r.Attest(ref, key, registry.Statement{PredicateType: vuln, Predicate: map[string]any{"a": 1}}),
				"signing a bundle":   r.SignBundle(ref, key),
				"attesting a bundle": r.Bundle(ref, key, registry.Statement{PredicateType: vuln, Predicate: map[string]any{"a": 1}}),
			} {
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
			}
			tests := map[string]func(*cosign.CheckOpts) error{
				"signature": func(o *cosign.CheckOpts) error {
					o.ClaimVerifier = cosign.SimpleClaimVerifier
					_, _, err := cosign.VerifyImageSignatures(t.Context(), digest, o)
					return err
				},
				"attestation": func(o *cosign.CheckOpts) error {
					o.ClaimVerifier = cosign.IntotoSubjectClaimVerifier
					_, _, err := cosign.VerifyImageAttestations(t.Context(), digest, o)
					return err
				},
				"bundle": func(o *cosign.CheckOpts) error { return verifyBundles(t, digest, o) },
			}
			for name, verify := range tests {
				if err := verify(options(t, key)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if err := verify(options(t, other)); err == nil {
					t.Errorf("%s: verified by a key that signed nothing", name)
				}
			}
		})
	}
}

// verifyBundles fails unless there are the two bundles and cosign takes both.
func verifyBundles(t *testing.T, digest name.Digest, o *cosign.CheckOpts) error {
	t.Helper()
	o.NewBundleFormat = true
	o.TrustedMaterial = &root.TrustedRoot{}
	o.ClaimVerifier = cosign.IntotoSubjectClaimVerifier
	verified, _, err := cosign.VerifyImageAttestations(t.Context(), digest, o)
	if err == nil && len(verified) != 2 {
		return fmt.Errorf("%d bundles were verified, want 2", len(verified))
	}
	return err
}

func TestALayerNeedNotBeWhatItClaims(t *testing.T) {
	r := start(t, registry.Options{})
	ref := push(t, r, "v1")
	huge := registry.Descriptor{MediaType: "application/x", Digest: ref.Digest, Size: 1 << 30}
	if err := r.AddLayer(ref, ".sig", huge); err != nil {
		t.Fatal(err)
	}
	tag, err := ociremote.SignatureTag(digestOf(t, ref))
	if err != nil {
		t.Fatal(err)
	}
	set, err := ociremote.Signatures(tag)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := set.Manifest()
	if err != nil || len(manifest.Layers) != 1 || manifest.Layers[0].Size != 1<<30 {
		t.Errorf("the manifest is %+v, %v", manifest, err)
	}
}

func TestAKeyIsWrittenAsCosignReadsIt(t *testing.T) {
	key := newKey(t)
	block, rest := pem.Decode([]byte(key.PEM))
	if block == nil || block.Type != "PUBLIC KEY" || len(rest) != 0 {
		t.Errorf("the key is\n%s", key.PEM)
	}
	var payload struct {
		Critical struct {
			Image struct {
				Digest v1.Hash `json:"docker-manifest-digest"`
			} `json:"image"`
		} `json:"critical"`
	}
	ref := image.Reference{Registry: "r", Repository: "a", Digest: "sha256:" + fmt.Sprintf("%064d", 1)}
	if err := json.Unmarshal(registry.Payload(ref), &payload); err != nil || payload.Critical.Image.Digest.String() != ref.Digest {
		t.Errorf("the payload is %s: %v", registry.Payload(ref), err)
	}
}
