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
)

// errRaw says that the bare requests did not find a good signature.
var errRaw = errors.New("the bare requests find no good signature")

// raw asks a registry for as little as physics allows and checks one ECDSA signature, by the standard library
// alone. It checks nothing else: no bounds, no claims, no types.
type raw struct {
	client *http.Client
	key    *ecdsa.PublicKey
}

func newRaw(key string) (*raw, error) {
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
	return &raw{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}, key: known}, nil
}

// rawManifest is what is read of a manifest or an index.
type rawManifest struct {
	Layers, Manifests []struct {
		Digest      string            `json:"digest"`
		Annotations map[string]string `json:"annotations"`
	}
}

func (r *raw) get(ctx context.Context, ref image.Reference, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+ref.Registry+"/v2/"+ref.Repository+"/"+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := r.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: %s: %s", errRaw, path, response.Status)
	}
	return io.ReadAll(response.Body)
}

func (r *raw) manifest(ctx context.Context, ref image.Reference, path string) (rawManifest, error) {
	var m rawManifest
	content, err := r.get(ctx, ref, path)
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
	payload, err := r.get(ctx, ref, "blobs/"+m.Layers[0].Digest)
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
	content, err := r.get(ctx, ref, "blobs/"+m.Layers[0].Digest)
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
