package registry_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

// BenchmarkManifestAndBlob compares what the client adds to the bare round trips of a warm registry.
func BenchmarkManifestAndBlob(b *testing.B) {
	s := newServer(b)
	ref := s.push(b, "team/web", "v1")
	client := newClient(b, registry.Config{Registries: []registry.Registry{{Host: s.host(), PlainHTTP: true}}})
	manifest, err := client.Manifest(b.Context(), registry.Access{}, ref)
	if err != nil {
		b.Fatal(err)
	}
	var read v1.Manifest
	if err := json.Unmarshal(manifest.Raw, &read); err != nil {
		b.Fatal(err)
	}
	layer := read.Layers[0]
	b.Run("client", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := client.Manifest(b.Context(), registry.Access{}, ref); err != nil {
				b.Fatal(err)
			}
			if _, err := client.Blob(b.Context(), registry.Access{}, ref, layer.Digest.String(), layer.Size); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for _, path := range []string{"/v2/team/web/manifests/" + ref.Digest, "/v2/team/web/blobs/" + layer.Digest.String()} {
				response, err := http.Get(s.URL + path)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadAll(response.Body); err != nil {
					b.Fatal(err)
				}
				_ = response.Body.Close()
			}
		}
	})
}
