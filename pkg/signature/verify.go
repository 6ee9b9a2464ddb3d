package signature

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/cosign/v2/pkg/oci"
	ociremote "github.com/sigstore/cosign/v2/pkg/oci/remote"
	"github.com/sigstore/cosign/v2/pkg/oci/static"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// Bounds of what is read of an image's signatures. A payload is a few hundred bytes.
const (
	maxPayload    = 64 << 10
	maxSignatures = 100
)

// verify fetches the signatures of a digest once and tries every key on each. It does not use
// cosign.VerifyImageSignatures, which does the same for one key and reports a payload that could not
// be fetched as one that does not match: an outage would read as “unsigned”.
func (v *Verifier) verify(ctx context.Context, ref image.Reference, signers []signer) (image.Proof, error) {
	digest, err := name.NewDigest(ref.Name()+"@"+ref.Digest, name.StrictValidation)
	if err != nil {
		return image.Proof{}, fmt.Errorf("reading image reference %q: %w", ref, err)
	}
	hash, err := v1.NewHash(ref.Digest)
	if err != nil {
		return image.Proof{}, fmt.Errorf("reading image reference %q: %w", ref, err)
	}
	puller, err := v.currentPuller()
	if err != nil {
		return image.Proof{}, err
	}
	// These options replace the defaults, the keychain included; the puller has its own.
	options := []ociremote.Option{ociremote.WithRemoteOptions(remote.WithContext(ctx), remote.Reuse(puller))}
	tag, err := ociremote.SignatureTag(digest, options...)
	if err != nil {
		return image.Proof{}, explain(ref.Registry, err)
	}
	set, err := ociremote.Signatures(tag, options...)
	if err != nil {
		return image.Proof{}, explain(ref.Registry, err)
	}
	proof, err := judge(ctx, set, hash, signers)
	if err != nil {
		return image.Proof{}, explain(ref.Registry, err)
	}
	if proof.Verified {
		return proof, nil
	}
	// “Unsigned” and “does not exist” are mended in different ways.
	if _, err := puller.Head(ctx, digest); err != nil {
		return image.Proof{}, explain(ref.Registry, err)
	}
	return proof, nil
}

// judge returns a proof, or an error if a signature that might have been the right one could not be read.
func judge(ctx context.Context, set oci.Signatures, hash v1.Hash, signers []signer) (image.Proof, error) {
	signatures, layers, err := list(set)
	if err != nil {
		return image.Proof{}, err
	}
	if len(signatures) == 0 {
		return image.Proof{Reason: "it has no signatures"}, nil
	}
	var unread error
	reasons := map[string]bool{}
	for i, candidate := range signatures {
		if i == maxSignatures {
			reasons[fmt.Sprintf("only the first %d signatures were tried", maxSignatures)] = true
			break
		}
		loaded, err := load(candidate, layers[i])
		if err != nil {
			unread = errors.Join(unread, err)
			continue
		}
		if loaded == nil {
			continue
		}
		for _, s := range signers {
			err := check(ctx, loaded, hash, s)
			if err == nil {
				return image.Proof{Verified: true, Authority: s.name}, nil
			}
			if strings.Contains(err.Error(), "invalid or missing digest in claim") {
				reasons["a signature of that key is for another image"] = true
			}
		}
	}
	if unread != nil {
		return image.Proof{}, unread
	}
	reason := fmt.Sprintf("none of its %d signatures is by a trusted key", len(signatures))
	for _, more := range slices.Sorted(maps.Keys(reasons)) {
		reason += "; " + more
	}
	return image.Proof{Reason: reason}, nil
}

// list returns the signatures and the descriptors of the layers that hold their payloads.
func list(set oci.Signatures) ([]oci.Signature, []v1.Descriptor, error) {
	signatures, err := set.Get()
	if err != nil || len(signatures) == 0 {
		return nil, nil, err
	}
	manifest, err := set.Manifest()
	if err != nil {
		return nil, nil, err
	}
	if len(manifest.Layers) != len(signatures) {
		return nil, nil, fmt.Errorf("the signature manifest has %d layers and %d signatures", len(manifest.Layers), len(signatures))
	}
	return signatures, manifest.Layers, nil
}

// load fetches a signature's payload. It returns nil for a layer that is no signature, whatever else
// it is: junk must not hide a valid signature, be read into memory, or send us to other hosts. A
// certificate beside a key's signature is left out: the key alone decides.
func load(candidate oci.Signature, layer v1.Descriptor) (oci.Signature, error) {
	encoded, err := candidate.Base64Signature()
	if err != nil || layer.Size > maxPayload || len(layer.URLs) > 0 {
		return nil, nil
	}
	payload, err := candidate.Payload()
	var answer *transport.Error
	if errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	loaded, err := static.NewSignature(payload, encoded)
	if err != nil {
		return nil, fmt.Errorf("reading a signature: %w", err)
	}
	return loaded, nil
}

// check verifies one signature by one key. The claim verifier binds it to the digest: without it a
// signature copied from another image would pass. Rekor is not asked for keys in this version.
func check(ctx context.Context, candidate oci.Signature, hash v1.Hash, s signer) error {
	_, err := cosign.VerifyImageSignature(ctx, candidate, hash, &cosign.CheckOpts{
		SigVerifier:   s.verifier,
		ClaimVerifier: cosign.SimpleClaimVerifier,
		IgnoreTlog:    true,
		Offline:       true,
	})
	return err
}

// ClearEnvironment removes the variables by which cosign's libraries can be told to trust other roots
// or to look elsewhere. Programs call it before they start.
func ClearEnvironment() error {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		for _, prefix := range []string{"COSIGN_", "SIGSTORE_", "TUF_"} {
			if !strings.HasPrefix(name, prefix) {
				continue
			}
			if err := os.Unsetenv(name); err != nil {
				return fmt.Errorf("clearing the environment variable %q: %w", name, err)
			}
		}
	}
	return nil
}
