//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	imageref "github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/test/registry"
)

// peakLimit of the webhook's memory while a registry floods it, in MiB. The standards' limit for its Pod is 512 MiB.
const peakLimit = 256

// gibibyte is a layer nobody should read.
const gibibyte = 1 << 30

// TestControlPlaneSignatureFloods: what lies beside an image was put there by anybody who may push. It hides no
// valid signature, and takes no memory to speak of.
func TestControlPlaneSignatureFloods(t *testing.T) {
	for name, referrers := range map[string]bool{"with the referrers API": true, "with the fallback tag": false} {
		t.Run(name, func(t *testing.T) {
			environment := "flooded"
			if !referrers {
				environment = "flooded-tag"
			}
			s := shared.signing(t, environment, registry.Options{Referrers: referrers})
			f := &flood{signing: s, webhook: s.replica(t, s.address(t))}
			s.enforce(t, s.policy("shop", s.release))
			s.known(t, s.signed(t, "shop/first", "v1"))
			t.Run("junk referrers", f.junk)
			t.Run("layers of 1 GiB", f.hugeLayers)
			t.Run("answers without end", f.endless)
			t.Run("10,000 referrers", f.manyReferrers)
		})
	}
}

type flood struct {
	*signing
	webhook *replica
}

// beside attaches what each test puts beside an image to three of them: one that nobody signed, one that is signed
// under a tag, one that is signed with a bundle. The first stays out, the others enter.
func (f *flood) beside(t *testing.T, repository string, attach func(ref imageref.Reference)) {
	t.Helper()
	bare, tag, bundle := f.push(t, "shop/"+repository, "bare"), f.push(t, "shop/"+repository, "tag"), f.push(t, "shop/"+repository, "bundle")
	attach(bare)
	attach(tag)
	must(t, f.Sign(tag, f.release))
	attach(bundle)
	must(t, f.SignBundle(bundle, f.release))
	f.webhook.forgetPeak(t)
	before, _ := f.webhook.memory(t)
	f.Forget()
	f.refused(t, runs(digested(bare)), digested(bare))
	sent, asked := f.Bytes(), f.Requests()
	f.known(t, tag)
	f.known(t, bundle)
	_, peak := f.webhook.memory(t)
	t.Logf("resident before %.1f MiB, at most %.1f MiB; for the unsigned image: %s, %.1f MiB sent", before, peak, asked, float64(sent)/(1<<20))
	if peak > peakLimit {
		t.Errorf("the webhook took %.1f MiB, want at most %d", peak, peakLimit)
	}
	if f.Bytes() > 64<<20 {
		t.Errorf("%d MiB were sent", f.Bytes()>>20)
	}
}

func (f *flood) junk(t *testing.T) {
	f.beside(t, "junk", func(ref imageref.Reference) {
		blob := func(mediaType, content string) registry.Descriptor {
			descriptor, err := f.Blob(ref.Repository, mediaType, []byte(content))
			must(t, err)
			return descriptor
		}
		signed := map[string]string{
			"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": registry.SignatureStatement,
		}
		var artifacts []registry.ImageManifest
		for _, content := range []string{"", "junk", "{}", "[]", "null", `{"mediaType":"x"}`, strings.Repeat("[", 100_000)} {
			artifacts = append(artifacts, registry.ImageManifest{
				ArtifactType: registry.BundleType, Layers: []registry.Descriptor{blob(registry.BundleType, content)}, Annotations: signed,
			})
		}
		nowhere := registry.Descriptor{MediaType: registry.BundleType, Digest: "sha256:" + strings.Repeat("0", 64), Size: 100}
		abroad := nowhere
		abroad.URLs = []string{"http://" + f.Host() + "/elsewhere"}
		artifacts = append(artifacts,
			registry.ImageManifest{ArtifactType: registry.BundleType, Annotations: signed},
			registry.ImageManifest{ArtifactType: registry.BundleType, Layers: []registry.Descriptor{nowhere}, Annotations: signed},
			registry.ImageManifest{ArtifactType: registry.BundleType, Layers: []registry.Descriptor{abroad}, Annotations: signed},
			registry.ImageManifest{ArtifactType: "application/spdx+json", Layers: []registry.Descriptor{blob("application/spdx+json", "{}")}},
			registry.ImageManifest{Layers: []registry.Descriptor{blob("text/plain", "hello")}})
		must(t, f.Refer(ref, artifacts...))
		must(t, f.SignBundle(ref, f.stranger))
		must(t, f.SignPayload(ref, f.release, []byte("junk")))
		must(t, f.Sign(ref, f.stranger))
		must(t, f.AddLayer(ref, ".sig", nowhere))
		must(t, f.AddLayer(ref, ".sig", registry.Descriptor{MediaType: "text/plain", Digest: ref.Digest, Size: 5, URLs: abroad.URLs}))
	})
}

// hugeLayers: a manifest that claims 1 GiB, one that claims little, and a server that would send as much.
func (f *flood) hugeLayers(t *testing.T) {
	const path = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	f.Replace("/blobs/"+path, endless(gibibyte))
	t.Cleanup(func() { f.Replace("/blobs/"+path, nil) })
	f.beside(t, "huge", func(ref imageref.Reference) {
		for _, size := range []int64{gibibyte, 300} {
			layer := registry.Descriptor{MediaType: "application/vnd.dev.cosign.simplesigning.v1+json", Digest: path, Size: size}
			layer.Annotations = map[string]string{"dev.cosignproject.cosign/signature": "MEUCIQDsig"}
			must(t, f.AddLayer(ref, ".sig", layer))
			must(t, f.AddLayer(ref, ".att", layer))
			layer.MediaType, layer.Annotations = registry.BundleType, nil
			must(t, f.Refer(ref, registry.ImageManifest{ArtifactType: registry.BundleType, Layers: []registry.Descriptor{layer}, Annotations: map[string]string{
				"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": registry.SignatureStatement,
			}}))
		}
	})
}

// endless: manifests and lists that the registry, not a pusher, makes too large. Nobody can tell then.
func (f *flood) endless(t *testing.T) {
	ref := f.push(t, "shop/endless", "v1")
	tag := strings.Replace(ref.Digest, ":", "-", 1)
	for _, path := range []string{"/manifests/" + tag + ".sig", "/manifests/" + tag, "/referrers/" + ref.Digest} {
		f.Replace(path, endless(gibibyte))
		t.Cleanup(func() { f.Replace(path, nil) })
	}
	f.webhook.forgetPeak(t)
	f.Forget()
	f.refused(t, runs(digested(ref)), digested(ref))
	_, peak := f.webhook.memory(t)
	t.Logf("at most %.1f MiB, %.1f MiB sent", peak, float64(f.Bytes())/(1<<20))
	if peak > peakLimit || f.Bytes() > 64<<20 {
		t.Errorf("the webhook took %.1f MiB and was sent %d bytes", peak, f.Bytes())
	}
}

// endless sends zeros, without a word of how many.
func endless(size int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		zeros := bytes.Repeat([]byte("0"), 1<<16)
		for range size / len(zeros) {
			if _, err := w.Write(zeros); err != nil {
				return // the reader had enough
			}
		}
	})
}

func (f *flood) manyReferrers(t *testing.T) {
	const count = 10_000
	f.beside(t, "many", func(ref imageref.Reference) {
		artifacts := make([]registry.ImageManifest, count)
		for i := range artifacts {
			artifacts[i] = registry.ImageManifest{
				ArtifactType: "application/vnd.example.sbom", Annotations: map[string]string{"number": fmt.Sprintf("%06d", i), "padding": strings.Repeat("x", 200)},
			}
		}
		must(t, f.Refer(ref, artifacts...))
	})
}
