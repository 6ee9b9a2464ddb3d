package signature_test

import (
	"encoding/base64"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/cosign/v2/pkg/oci/mutate"
	ociremote "github.com/sigstore/cosign/v2/pkg/oci/remote"
	"github.com/sigstore/cosign/v2/pkg/oci/static"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/payload"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// testRegistry is a real registry in memory whose answers a test can replace.
type testRegistry struct {
	server   *httptest.Server
	requests atomic.Int64
	fault    atomic.Pointer[http.HandlerFunc]
	real     http.Handler
}

func newRegistry(t *testing.T) *testRegistry {
	t.Helper()
	r := &testRegistry{real: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.requests.Add(1)
		if fault := r.fault.Load(); fault != nil {
			(*fault)(w, request)
			return
		}
		r.real.ServeHTTP(w, request)
	}))
	t.Cleanup(r.server.Close)
	return r
}

func (r *testRegistry) host() string { return strings.TrimPrefix(r.server.URL, "http://") }

// fail makes the registry answer in its own way; nil heals it.
func (r *testRegistry) fail(handler http.HandlerFunc) {
	if handler == nil {
		r.fault.Store(nil)
		return
	}
	r.fault.Store(&handler)
}

// failOn lets only some requests go wrong.
func (r *testRegistry) failOn(matches func(*http.Request) bool, status int) {
	r.fail(func(w http.ResponseWriter, request *http.Request) {
		if matches(request) {
			w.WriteHeader(status)
			return
		}
		r.real.ServeHTTP(w, request)
	})
}

// push writes an image under a tag and returns its reference by digest.
func (r *testRegistry) push(t *testing.T, repository, tag string) image.Reference {
	t.Helper()
	img, err := random.Image(256, 1)
	if err != nil {
		t.Fatal(err)
	}
	target := r.tag(t, repository, tag)
	if err := remote.Write(target, img); err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return r.reference(t, repository, digest)
}

// pushIndex writes a multi-platform image and returns the index by digest, and its first child.
func (r *testRegistry) pushIndex(t *testing.T, repository, tag string) (index, child image.Reference) {
	t.Helper()
	idx, err := random.Index(256, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(r.tag(t, repository, tag), idx); err != nil {
		t.Fatal(err)
	}
	digest, err := idx.Digest()
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := idx.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	return r.reference(t, repository, digest), r.reference(t, repository, manifest.Manifests[0].Digest)
}

func (r *testRegistry) tag(t *testing.T, repository, tag string) name.Tag {
	t.Helper()
	target, err := name.NewTag(r.host() + "/" + repository + ":" + tag)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func (r *testRegistry) reference(t *testing.T, repository string, digest v1.Hash) image.Reference {
	t.Helper()
	ref, err := image.Parse(r.host() + "/" + repository + "@" + digest.String())
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// key is a key pair as `cosign generate-key-pair` makes it.
type key struct {
	signer signature.SignerVerifier
	public string
}

// newKey makes a pair; encrypting the private key is slow on purpose.
func newKey() (key, error) {
	password := func(bool) ([]byte, error) { return []byte("test"), nil }
	keys, err := cosign.GenerateKeyPair(password)
	if err != nil {
		return key{}, err
	}
	signer, err := cosign.LoadPrivateKey(keys.PrivateBytes, []byte("test"), nil)
	return key{signer: signer, public: string(keys.PublicBytes)}, err
}

// The two pairs that all tests share.
var (
	makeTrustedKey = sync.OnceValues(newKey)
	makeForeignKey = sync.OnceValues(newKey)
)

// trustedKey is the one that policies of the tests name.
func trustedKey(t *testing.T) key { return must(t, makeTrustedKey) }

// foreignKey is another one.
func foreignKey(t *testing.T) key { return must(t, makeForeignKey) }

func must(t *testing.T, pair func() (key, error)) key {
	t.Helper()
	k, err := pair()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (k key) authority(name string) v1alpha1.Authority {
	return v1alpha1.Authority{Name: name, Key: &v1alpha1.KeyAuthority{Data: k.public}}
}

// sign attaches a cosign signature, kept under the tag sha256-….sig beside others that are there.
func (k key) sign(t *testing.T, ref image.Reference) {
	t.Helper()
	digest := digestOf(t, ref)
	text, err := (&payload.Cosign{Image: digest}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := k.signer.SignMessage(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	attach(t, ref, text, base64.StdEncoding.EncodeToString(raw))
}

// attach writes any payload and signature in cosign's format.
func attach(t *testing.T, ref image.Reference, text []byte, encoded string) {
	t.Helper()
	digest := digestOf(t, ref)
	entity, err := ociremote.SignedEntity(digest)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := static.NewSignature(text, encoded)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := mutate.AttachSignatureToEntity(entity, sig)
	if err != nil {
		t.Fatal(err)
	}
	if err := ociremote.WriteSignatures(digest.Context(), signed); err != nil {
		t.Fatal(err)
	}
}

func digestOf(t *testing.T, ref image.Reference) name.Digest {
	t.Helper()
	digest, err := name.NewDigest(ref.Name() + "@" + ref.Digest)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// transplant copies the signatures of one image to another.
func transplant(t *testing.T, from, to image.Reference) {
	t.Helper()
	source, err := ociremote.SignatureTag(digestOf(t, from))
	if err != nil {
		t.Fatal(err)
	}
	target, err := ociremote.SignatureTag(digestOf(t, to))
	if err != nil {
		t.Fatal(err)
	}
	signatures, err := remote.Image(source)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(target, signatures); err != nil {
		t.Fatal(err)
	}
}
