package registry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// Media types and annotations of signatures, as cosign writes them.
const (
	simpleSigningType   = "application/vnd.dev.cosign.simplesigning.v1+json"
	signatureAnnotation = "dev.cosignproject.cosign/signature"
	// BundleType is the media type and artifact type of Sigstore bundles.
	BundleType    = "application/vnd.dev.sigstore.bundle.v0.3+json"
	envelopeType  = "application/vnd.dsse.envelope.v1+json"
	statementType = "application/vnd.in-toto+json"
	// SignatureStatement is the predicate type by which a bundle's statement is a signature of the image.
	SignatureStatement = "https://sigstore.dev/cosign/sign/v1"
)

// Key signs images with ECDSA over P-256, as a key of `cosign generate-key-pair` does.
type Key struct {
	private *ecdsa.PrivateKey
	// PEM is the public key: the content of cosign.pub.
	PEM string
}

// NewKey makes a key pair.
func NewKey() (*Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("encoding a key: %w", err)
	}
	return &Key{private: private, PEM: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))}, nil
}

func (k *Key) sign(content []byte) (string, error) {
	sum := sha256.Sum256(content)
	signature, err := ecdsa.SignASN1(rand.Reader, k.private, sum[:])
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	return base64.StdEncoding.EncodeToString(signature), nil
}

// Payload is what cosign signs of an image in the form of tags: its digest, and a name that nobody may trust.
func Payload(ref image.Reference) []byte {
	return fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`,
		ref.Name(), ref.Digest)
}

// Sign adds a signature under the tag sha256-DIGEST.sig.
func (r *Registry) Sign(ref image.Reference, key *Key) error {
	return r.SignPayload(ref, key, Payload(ref))
}

// SignPayload adds a signature of any text: of another image's payload, or of junk.
func (r *Registry) SignPayload(ref image.Reference, key *Key, payload []byte) error {
	signature, err := key.sign(payload)
	if err != nil {
		return err
	}
	layer, err := r.Blob(ref.Repository, simpleSigningType, payload)
	if err != nil {
		return err
	}
	layer.Annotations = map[string]string{signatureAnnotation: signature}
	return r.AddLayer(ref, ".sig", layer)
}

// AddLayer adds a layer to the manifest under the tag sha256-DIGEST with a suffix, .sig or .att. The layer's
// blob need not be there.
func (r *Registry) AddLayer(ref image.Reference, suffix string, layer Descriptor) error {
	r.tags.Lock()
	defer r.tags.Unlock()
	tag := fallbackTag(ref) + suffix
	manifest := ImageManifest{}
	raw, _, err := r.read(ref.Repository, tag)
	switch {
	case errors.Is(err, errRefused): // the first
		if manifest.Config, err = r.Blob(ref.Repository, configType, []byte(`{}`)); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		if err := json.Unmarshal(raw, &manifest); err != nil {
			return fmt.Errorf("reading manifest %s: %w", tag, err)
		}
	}
	manifest.Layers = append(manifest.Layers, layer)
	_, err = r.Manifest(ref.Repository, manifest, tag)
	return err
}

func fallbackTag(ref image.Reference) string { return strings.Replace(ref.Digest, ":", "-", 1) }

// Statement about an image, signed by whoever makes a bundle or attestation of it.
type Statement struct {
	// PredicateType is a URI.
	PredicateType string
	// Predicate is encoded as JSON.
	Predicate any
	// Digest is that of the image where it is empty, else of the image that the statement is really about.
	Digest string
}

// envelope signs a statement by the rules of DSSE.
func (k *Key) envelope(ref image.Reference, statement Statement) (map[string]any, error) {
	if statement.Digest == "" {
		statement.Digest = ref.Digest
	}
	payload, err := json.Marshal(map[string]any{
		"_type": "https://in-toto.io/Statement/v1", "predicateType": statement.PredicateType, "predicate": statement.Predicate,
		"subject": []any{map[string]any{"name": ref.Name(), "digest": map[string]string{"sha256": strings.TrimPrefix(statement.Digest, "sha256:")}}},
	})
	if err != nil {
		return nil, fmt.Errorf("encoding a statement: %w", err)
	}
	signature, err := k.sign(fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(statementType), statementType, len(payload), payload))
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"payload": base64.StdEncoding.EncodeToString(payload), "payloadType": statementType,
		"signatures": []any{map[string]string{"sig": signature}},
	}, nil
}

// Attest adds an attestation under the tag sha256-DIGEST.att.
func (r *Registry) Attest(ref image.Reference, key *Key, statement Statement) error {
	envelope, err := key.envelope(ref, statement)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(envelope)
	if err != nil {
		return fmt.Errorf("encoding an envelope: %w", err)
	}
	layer, err := r.Blob(ref.Repository, envelopeType, raw)
	if err != nil {
		return err
	}
	layer.Annotations = map[string]string{signatureAnnotation: "", "predicateType": statement.PredicateType}
	return r.AddLayer(ref, ".att", layer)
}

// SignBundle signs the image with a bundle, as cosign 3 does.
func (r *Registry) SignBundle(ref image.Reference, key *Key) error {
	return r.Bundle(ref, key, Statement{PredicateType: SignatureStatement, Predicate: map[string]any{}})
}

// Bundle attaches a signed statement as a Sigstore bundle that refers to the image.
func (r *Registry) Bundle(ref image.Reference, key *Key, statement Statement) error {
	return r.BundleAs(ref, key, statement, statement.PredicateType)
}

// BundleAs does so with an annotation that may claim another predicate type.
func (r *Registry) BundleAs(ref image.Reference, key *Key, statement Statement, claimed string) error {
	envelope, err := key.envelope(ref, statement)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(map[string]any{
		"mediaType":            BundleType,
		"verificationMaterial": map[string]any{"publicKey": map[string]string{"hint": "key"}},
		"dsseEnvelope":         envelope,
	})
	if err != nil {
		return fmt.Errorf("encoding a bundle: %w", err)
	}
	layer, err := r.Blob(ref.Repository, BundleType, raw)
	if err != nil {
		return err
	}
	return r.Refer(ref, ImageManifest{
		ArtifactType: BundleType, Layers: []Descriptor{layer},
		Annotations: map[string]string{
			"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": claimed,
		},
	})
}
