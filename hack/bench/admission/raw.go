package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

// errRaw says that the bare requests did not find a good signature.
var errRaw = errors.New("the bare requests find no good signature")

// raw asks a registry for as little as physics allows and checks one ECDSA signature. It checks nothing else: no
// claims, no types.
type raw struct {
	key *ecdsa.PublicKey
	// get returns what lies under a path of the image's repository: "manifests/…", "blobs/…", "referrers/…".
	get func(ctx context.Context, ref image.Reference, path string, size int64) ([]byte, error)
}

// newRaw returns a raw that asks by the standard library alone, or through another way if get is not nil.
func newRaw(key string, get func(context.Context, image.Reference, string, int64) ([]byte, error)) (*raw, error) {
	block, _ := pem.Decode([]byte(key))
	if block == nil {
		return nil, fmt.Errorf("%w: the key is no PEM", errRaw)
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading the key: %w", err)
	}
	known, ok := public.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%w: the key is a %T", errRaw, public)
	}
	if get == nil {
		get = bareRequests(&http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}})
	}
	return &raw{key: known, get: get}, nil
}

// rawManifest is what is read of a manifest or an index.
type rawManifest struct {
	Layers, Manifests []struct {
		Digest      string            `json:"digest"`
		Size        int64             `json:"size"`
		Annotations map[string]string `json:"annotations"`
	}
}

// bareRequests are those of net/http, with no bounds, no credentials and no checks of digests.
func bareRequests(client *http.Client) func(context.Context, image.Reference, string, int64) ([]byte, error) {
	return func(ctx context.Context, ref image.Reference, path string, _ int64) ([]byte, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+ref.Registry+"/v2/"+ref.Repository+"/"+path, nil)
		if err != nil {
			return nil, err
		}
		response, err := client.Do(request)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%w: %s: %s", errRaw, path, response.Status)
		}
		return io.ReadAll(response.Body)
	}
}

// clientRequests are those of Rune's own registry client, which bounds and checks what it reads. The list of
// referrers, which it reads in its own way, is written again as an index.
func clientRequests(client *registry.Client) func(context.Context, image.Reference, string, int64) ([]byte, error) {
	return func(ctx context.Context, ref image.Reference, path string, size int64) ([]byte, error) {
		kind, name, _ := strings.Cut(path, "/")
		switch kind {
		case "blobs":
			return client.Blob(ctx, registry.Access{}, ref, name, size)
		case "referrers":
			found, err := client.Referrers(ctx, registry.Access{}, ref, func(registry.Descriptor) bool { return true }, 8)
			if err != nil {
				return nil, err
			}
			return json.Marshal(map[string]any{"manifests": found.Descriptors})
		}
		ref.Tag, ref.Digest = name, ""
		if strings.HasPrefix(name, "sha256:") {
			ref.Tag, ref.Digest = "", name
		}
		m, err := client.Manifest(ctx, registry.Access{}, ref)
		return m.Raw, err
	}
}

func (r *raw) manifest(ctx context.Context, ref image.Reference, path string) (rawManifest, error) {
	var m rawManifest
	content, err := r.get(ctx, ref, path, 0)
	if err == nil {
		err = json.Unmarshal(content, &m)
	}
	return m, err
}

// verify checks one signature in the format of a folder.
func (r *raw) verify(ctx context.Context, folder string, ref image.Reference) error {
	if folder == bundleFolder {
		return r.verifyBundle(ctx, ref)
	}
	m, err := r.manifest(ctx, ref, "manifests/"+strings.Replace(ref.Digest, ":", "-", 1)+".sig")
	if err != nil {
		return err
	}
	if len(m.Layers) != 1 {
		return fmt.Errorf("%w: %d layers", errRaw, len(m.Layers))
	}
	payload, err := r.get(ctx, ref, "blobs/"+m.Layers[0].Digest, m.Layers[0].Size)
	if err != nil {
		return err
	}
	return r.check(payload, m.Layers[0].Annotations["dev.cosignproject.cosign/signature"])
}

func (r *raw) verifyBundle(ctx context.Context, ref image.Reference) error {
	index, err := r.manifest(ctx, ref, "referrers/"+ref.Digest)
	if err != nil {
		return err
	}
	if len(index.Manifests) != 1 {
		return fmt.Errorf("%w: %d referrers", errRaw, len(index.Manifests))
	}
	m, err := r.manifest(ctx, ref, "manifests/"+index.Manifests[0].Digest)
	if err != nil {
		return err
	}
	if len(m.Layers) != 1 {
		return fmt.Errorf("%w: %d layers", errRaw, len(m.Layers))
	}
	content, err := r.get(ctx, ref, "blobs/"+m.Layers[0].Digest, m.Layers[0].Size)
	if err != nil {
		return err
	}
	var bundle struct {
		Envelope struct {
			Payload     []byte `json:"payload"`
			PayloadType string `json:"payloadType"`
			Signatures  []struct {
				Sig string `json:"sig"`
			} `json:"signatures"`
		} `json:"dsseEnvelope"`
	}
	if err := json.Unmarshal(content, &bundle); err != nil {
		return err
	}
	if len(bundle.Envelope.Signatures) != 1 {
		return fmt.Errorf("%w: %d signatures", errRaw, len(bundle.Envelope.Signatures))
	}
	e := bundle.Envelope
	message := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(e.PayloadType), e.PayloadType, len(e.Payload), e.Payload)
	return r.check(message, e.Signatures[0].Sig)
}

func (r *raw) check(message []byte, signature string) error {
	decoded, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(message)
	if !ecdsa.VerifyASN1(r.key, sum[:], decoded) {
		return errRaw
	}
	return nil
}
