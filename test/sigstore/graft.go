package sigstore

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// Transplant attaches to one image what is attached to another one of the same repository, unchanged, as an
// attacker does who wants an image to look signed.
func (r *Registry) Transplant(t testing.TB, from, to image.Reference) {
	t.Helper()
	r.graft(t, from, to, func(blob []byte) []byte { return blob })
}

// Forge is Transplant by an attacker who knows that signatures name their image: every signed payload is
// rewritten to name the other image, and the signatures stay as they are.
func (r *Registry) Forge(t testing.TB, from, to image.Reference) {
	t.Helper()
	before, after := []byte(hexOf(from)), []byte(hexOf(to))
	r.graft(t, from, to, func(blob []byte) []byte { return rewrite(t, blob, before, after) })
}

// Borrow gives the only signature of an image, under its tag, the promise of Rekor 1 that another image's signature
// has, as an attacker does whose own signature no log would date well.
func (r *Registry) Borrow(t testing.TB, from, to image.Reference) {
	t.Helper()
	const promise = "dev.sigstore.cosign/bundle"
	repository := r.parse(t, from.Repository+"@"+from.Digest).Context()
	tagOf := func(ref image.Reference) name.Tag { return repository.Tag("sha256-" + hexOf(ref) + ".sig") }
	var borrowed any
	edit(t, fetch(t, tagOf(from)).Manifest, func(document map[string]any) { borrowed = annotations(document)[promise] })
	if borrowed == nil {
		t.Fatalf("there is no promise beside %s", from)
	}
	manifest := fetch(t, tagOf(to))
	put(t, tagOf(to), edit(t, manifest.Manifest, func(document map[string]any) { annotations(document)[promise] = borrowed }), manifest.MediaType)
}

// annotations returns those of a manifest's only layer.
func annotations(manifest map[string]any) map[string]any {
	return manifest["layers"].([]any)[0].(map[string]any)["annotations"].(map[string]any)
}

// rewrite replaces text in a payload as it lies in a blob: plain in a .sig, in a DSSE envelope's base64 in
// an .att, and one level deeper in a bundle.
func rewrite(t testing.TB, blob, before, after []byte) []byte {
	t.Helper()
	var document map[string]any
	if err := json.Unmarshal(blob, &document); err != nil {
		t.Fatalf("reading a payload: %v", err)
	}
	envelope := document
	if inner, ok := document["dsseEnvelope"].(map[string]any); ok {
		envelope = inner
	}
	payload, enveloped := envelope["payload"].(string)
	if !enveloped {
		return replace(t, blob, before, after)
	}
	statement, err := base64.StdEncoding.DecodeString(payload)
	if err != nil {
		t.Fatalf("reading the payload of an envelope: %v", err)
	}
	changed := replace(t, statement, before, after)
	envelope["payload"] = base64.StdEncoding.EncodeToString(changed)
	out, err := json.Marshal(document)
	if err != nil {
		t.Fatalf("writing a payload: %v", err)
	}
	return out
}

func replace(t testing.TB, payload, before, after []byte) []byte {
	t.Helper()
	if !bytes.Contains(payload, before) {
		t.Fatalf("a payload does not name its image: %s", payload)
	}
	return bytes.ReplaceAll(payload, before, after)
}

// graft copies tags and referrers with their layers changed.
func (r *Registry) graft(t testing.TB, from, to image.Reference, change func([]byte) []byte) {
	t.Helper()
	repository := r.parse(t, from.Repository+"@"+from.Digest).Context()
	if to.Registry != r.Host || to.Repository != from.Repository {
		t.Fatalf("grafting from %s to %s: they are of different repositories", from, to)
	}
	for _, suffix := range []string{".sig", ".att"} {
		source := repository.Tag("sha256-" + hexOf(from) + suffix)
		if manifest := fetch(t, source); manifest != nil {
			raw := changeLayers(t, repository, manifest.Manifest, change)
			put(t, repository.Tag("sha256-"+hexOf(to)+suffix), raw, manifest.MediaType)
		}
	}
	index, err := remote.Referrers(repository.Digest(from.Digest), remote.WithContext(t.Context()))
	if err != nil {
		t.Fatalf("listing the referrers of %s: %v", from, err)
	}
	referrers, err := index.IndexManifest()
	if err != nil {
		t.Fatalf("listing the referrers of %s: %v", from, err)
	}
	subject, err := remote.Head(repository.Digest(to.Digest), remote.WithContext(t.Context()))
	if err != nil {
		t.Fatalf("looking for %s: %v", to, err)
	}
	for _, descriptor := range referrers.Manifests {
		manifest := fetch(t, repository.Digest(descriptor.Digest.String()))
		raw := edit(t, changeLayers(t, repository, manifest.Manifest, change), func(document map[string]any) {
			document["subject"] = subject
		})
		digest, _, err := v1.SHA256(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		put(t, repository.Digest(digest.String()), raw, manifest.MediaType)
	}
}

// changeLayers uploads changed copies of a manifest's layers and returns the manifest that names them.
func changeLayers(t testing.TB, repository name.Repository, raw []byte, change func([]byte) []byte) []byte {
	t.Helper()
	manifest, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("reading a manifest: %v", err)
	}
	for _, layer := range manifest.Layers {
		blob := changeBlob(t, repository, layer, change)
		digest, size, err := v1.SHA256(bytes.NewReader(blob))
		if err != nil {
			t.Fatal(err)
		}
		raw = bytes.ReplaceAll(raw, []byte(layer.Digest.String()), []byte(digest.String()))
		raw = edit(t, raw, func(document map[string]any) {
			for _, entry := range document["layers"].([]any) {
				if fields := entry.(map[string]any); fields["digest"] == digest.String() {
					fields["size"] = size
				}
			}
		})
	}
	return raw
}

func changeBlob(t testing.TB, repository name.Repository, layer v1.Descriptor, change func([]byte) []byte) []byte {
	t.Helper()
	remoteLayer, err := remote.Layer(repository.Digest(layer.Digest.String()), remote.WithContext(t.Context()))
	if err != nil {
		t.Fatalf("asking for a layer: %v", err)
	}
	content, err := remoteLayer.Compressed()
	if err != nil {
		t.Fatalf("asking for a layer: %v", err)
	}
	defer content.Close()
	var blob bytes.Buffer
	if _, err := blob.ReadFrom(content); err != nil {
		t.Fatalf("reading a layer: %v", err)
	}
	changed := change(blob.Bytes())
	if err := remote.WriteLayer(repository, static.NewLayer(changed, layer.MediaType), remote.WithContext(t.Context())); err != nil {
		t.Fatalf("uploading a layer: %v", err)
	}
	return changed
}

// fetch returns a manifest, or nil where there is none.
func fetch(t testing.TB, ref name.Reference) *remote.Descriptor {
	t.Helper()
	manifest, err := remote.Get(ref, remote.WithContext(t.Context()))
	var answer *transport.Error
	if errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound {
		return nil
	}
	if err != nil {
		t.Fatalf("asking for %s: %v", ref, err)
	}
	return manifest
}

// rawManifest is a manifest to upload as it is.
type rawManifest struct {
	raw       []byte
	mediaType types.MediaType
}

// RawManifest returns its bytes.
func (m rawManifest) RawManifest() ([]byte, error) { return m.raw, nil }

// MediaType returns that of the manifest it was made of.
func (m rawManifest) MediaType() (types.MediaType, error) { return m.mediaType, nil }

// put uploads a manifest; where the registry has no referrers API, its subject's fallback tag too.
func put(t testing.TB, ref name.Reference, raw []byte, mediaType types.MediaType) {
	t.Helper()
	if err := remote.Put(ref, rawManifest{raw, mediaType}, remote.WithContext(t.Context())); err != nil {
		t.Fatalf("uploading %s: %v", ref, err)
	}
}

// edit changes a JSON document.
func edit(t testing.TB, raw []byte, change func(map[string]any)) []byte {
	t.Helper()
	var document map[string]any
	if err := json.Unmarshal(raw, &document); err != nil {
		t.Fatalf("reading a manifest: %v", err)
	}
	change(document)
	out, err := json.Marshal(document)
	if err != nil {
		t.Fatalf("writing a manifest: %v", err)
	}
	return out
}

func hexOf(ref image.Reference) string { return strings.TrimPrefix(ref.Digest, "sha256:") }
