package verification_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/sigstore/cosign/v2/pkg/oci/mutate"
	ociremote "github.com/sigstore/cosign/v2/pkg/oci/remote"
	"github.com/sigstore/cosign/v2/pkg/oci/static"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/payload"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

const (
	signType       = "https://sigstore.dev/cosign/sign/v1"
	scanType       = "https://cosign.sigstore.dev/attestation/vuln/v1"
	provenanceType = "https://slsa.dev/provenance/v1"
	bundleV03      = "application/vnd.dev.sigstore.bundle.v0.3+json"
)

// key is a pair that signs as cosign does.
type key struct {
	signer signature.Signer
	public string
}

func newKey(t testing.TB) key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	signer, err := signature.LoadECDSASigner(private, crypto.SHA256)
	must(t, err)
	return keyOf(t, signer, private.Public())
}

func keyOf(t testing.TB, signer signature.Signer, public crypto.PublicKey) key {
	t.Helper()
	pem, err := cryptoutils.MarshalPublicKeyToPEM(public)
	must(t, err)
	return key{signer: signer, public: string(pem)}
}

func (k key) authority(name string) v1alpha1.Authority {
	return v1alpha1.Authority{Name: name, Key: &v1alpha1.KeyAuthority{Data: k.public}}
}

func (k key) raw(t testing.TB, message []byte) []byte {
	t.Helper()
	sig, err := k.signer.SignMessage(bytes.NewReader(message))
	must(t, err)
	return sig
}

// sign attaches a signature under the tag sha256-….sig, beside those that are there.
func (k key) sign(t testing.TB, ref image.Reference, options ...static.Option) {
	t.Helper()
	text := payloadFor(t, ref)
	attach(t, ref, text, k.raw(t, text), options...)
}

func payloadFor(t testing.TB, ref image.Reference) []byte {
	t.Helper()
	text, err := (&payload.Cosign{Image: digestOf(t, ref)}).MarshalJSON()
	must(t, err)
	return text
}

// attach writes any payload and signature in cosign's format.
func attach(t testing.TB, ref image.Reference, text, sig []byte, options ...static.Option) {
	t.Helper()
	attachEncoded(t, ref, text, base64.StdEncoding.EncodeToString(sig), options...)
}

func attachEncoded(t testing.TB, ref image.Reference, text []byte, sig string, options ...static.Option) {
	t.Helper()
	entity, err := ociremote.SignedEntity(digestOf(t, ref))
	must(t, err)
	layer, err := static.NewSignature(text, sig, options...)
	must(t, err)
	signed, err := mutate.AttachSignatureToEntity(entity, layer)
	must(t, err)
	must(t, ociremote.WriteSignatures(digestOf(t, ref).Context(), signed))
}

// statement about an image.
func statement(t testing.TB, ref image.Reference, predicateType string, predicate any) []byte {
	t.Helper()
	raw, err := json.Marshal(map[string]any{
		"_type":         "https://in-toto.io/Statement/v1",
		"predicateType": predicateType,
		"subject":       []any{map[string]any{"name": "web", "digest": map[string]any{"sha256": hashOf(t, ref).Hex}}},
		"predicate":     predicate,
	})
	must(t, err)
	return raw
}

// envelope signs a statement.
func (k key) envelope(t testing.TB, statement []byte) *dsse.Envelope {
	t.Helper()
	const payloadType = "application/vnd.in-toto+json"
	return &dsse.Envelope{
		PayloadType: payloadType,
		Payload:     base64.StdEncoding.EncodeToString(statement),
		Signatures:  []dsse.Signature{{Sig: base64.StdEncoding.EncodeToString(k.raw(t, dsse.PAE(payloadType, statement)))}},
	}
}

// attest attaches an attestation under the tag sha256-….att, as cosign 2 does.
func (k key) attest(t testing.TB, ref image.Reference, predicateType string, predicate any) {
	t.Helper()
	attachAttestation(t, ref, k.envelope(t, statement(t, ref, predicateType, predicate)), predicateType)
}

func attachAttestation(t testing.TB, ref image.Reference, envelope *dsse.Envelope, hint string, options ...static.Option) {
	t.Helper()
	raw, err := json.Marshal(envelope)
	must(t, err)
	entity, err := ociremote.SignedEntity(digestOf(t, ref))
	must(t, err)
	options = append(options, static.WithLayerMediaType("application/vnd.dsse.envelope.v1+json"))
	if hint != "" {
		options = append(options, static.WithAnnotations(map[string]string{"predicateType": hint}))
	}
	layer, err := static.NewAttestation(raw, options...)
	must(t, err)
	signed, err := mutate.AttachAttestationToEntity(entity, layer)
	must(t, err)
	must(t, ociremote.WriteAttestations(digestOf(t, ref).Context(), signed))
}

// bundle of a statement that the key signed.
func (k key) bundle(t testing.TB, statement []byte) *protobundle.Bundle {
	t.Helper()
	return &protobundle.Bundle{
		MediaType: bundleV03,
		VerificationMaterial: &protobundle.VerificationMaterial{
			Content: &protobundle.VerificationMaterial_PublicKey{PublicKey: &protocommon.PublicKeyIdentifier{Hint: "key"}},
		},
		Content: content(t, k.envelope(t, statement)),
	}
}

func content(t testing.TB, envelope *dsse.Envelope) *protobundle.Bundle_DsseEnvelope {
	t.Helper()
	payload, err := envelope.DecodeB64Payload()
	must(t, err)
	result := &protodsse.Envelope{Payload: payload, PayloadType: envelope.PayloadType}
	for _, one := range envelope.Signatures {
		sig, err := base64.StdEncoding.DecodeString(one.Sig)
		must(t, err)
		result.Signatures = append(result.Signatures, &protodsse.Signature{Sig: sig})
	}
	return &protobundle.Bundle_DsseEnvelope{DsseEnvelope: result}
}

// refer attaches a bundle as cosign 3 does, with an annotation that may lie.
func refer(t testing.TB, ref image.Reference, bundle *protobundle.Bundle, hint string) {
	t.Helper()
	raw, err := protojson.Marshal(bundle)
	must(t, err)
	referRaw(t, ref, raw, hint)
}

func referRaw(t testing.TB, ref image.Reference, raw []byte, hint string) {
	t.Helper()
	must(t, ociremote.WriteAttestationNewBundleFormat(digestOf(t, ref), raw, hint))
}

// signBundle signs an image as cosign 3 does.
func (k key) signBundle(t testing.TB, ref image.Reference) {
	t.Helper()
	refer(t, ref, k.bundle(t, statement(t, ref, signType, map[string]any{})), signType)
}

// transplant copies what is under a tag of one image to that of another.
func transplant(t testing.TB, from, to image.Reference, tag func(image.Reference) string) {
	t.Helper()
	source := digestOf(t, from).Context().Tag(tag(from))
	signatures, err := remote.Image(source)
	must(t, err)
	must(t, remote.Write(digestOf(t, to).Context().Tag(tag(to)), signatures))
}

func sigTag(ref image.Reference) string { return "sha256-" + ref.Digest[len("sha256:"):] + ".sig" }
func attTag(ref image.Reference) string { return "sha256-" + ref.Digest[len("sha256:"):] + ".att" }

func encoded(raw []byte) string { return base64.StdEncoding.EncodeToString(raw) }

func marshal(t testing.TB, bundle *protobundle.Bundle) []byte {
	t.Helper()
	raw, err := protojson.Marshal(bundle)
	must(t, err)
	return raw
}

// pae is what an envelope's signature is over.
func pae(payload []byte) []byte { return dsse.PAE("application/vnd.in-toto+json", payload) }

// entrySignature is the one signature of an envelope.
func (k key) entrySignature(t testing.TB, envelope *dsse.Envelope) []byte {
	t.Helper()
	sig, err := base64.StdEncoding.DecodeString(envelope.Signatures[0].Sig)
	must(t, err)
	return sig
}
