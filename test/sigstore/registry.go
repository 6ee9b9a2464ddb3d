package sigstore

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// Registry is a running registry whose requests are counted. One that fails is in package test/registry.
type Registry struct {
	// Host is its address, as references name it.
	Host string

	requests atomic.Int64
}

// RegistryWithReferrers starts go-containerregistry's registry, which has the referrers API of OCI 1.1.
func RegistryWithReferrers(t testing.TB) *Registry {
	t.Helper()
	return newRegistry(t, registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
}

// RegistryWithoutReferrers starts the distribution registry, which has no referrers API: clients fall back
// to a tag.
func (s *Sigstore) RegistryWithoutReferrers(t testing.TB) *Registry {
	t.Helper()
	return newRegistry(t, startDistribution(t, s.registry))
}

// startDistribution starts the program and returns a proxy to it.
func startDistribution(t testing.TB, program string) http.Handler {
	t.Helper()
	path, storage := t.TempDir()+"/config.yml", t.TempDir()
	address := server{
		name: "registry", program: program, ready: "/",
		args: func(port func() string) []string {
			config := map[string]any{
				"version": "0.1", "log": map[string]any{"level": "error", "accesslog": map[string]any{"disabled": true}},
				"storage": map[string]any{"filesystem": map[string]any{"rootdirectory": storage}},
				"http":    map[string]any{"addr": "127.0.0.1:" + port(), "relativeurls": true},
			}
			writeJSON(t, path, config) // YAML is a superset
			return []string{"serve", path}
		},
	}.start(t)
	target, err := url.Parse(address)
	if err != nil {
		t.Fatalf("reading the registry's address: %v", err)
	}
	return &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorLog: log.New(io.Discard, "", 0),
	}
}

func newRegistry(t testing.TB, handler http.Handler) *Registry {
	t.Helper()
	r := &Registry{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.requests.Add(1)
		handler.ServeHTTP(w, request)
	}))
	t.Cleanup(server.Close)
	r.Host = strings.TrimPrefix(server.URL, "http://")
	return r
}

// Requests returns how many requests there were.
func (r *Registry) Requests() int64 { return r.requests.Load() }

// Push writes an image that nobody has seen before and returns its reference by tag and digest.
func (r *Registry) Push(t testing.TB, repository, tag string) image.Reference {
	t.Helper()
	img, err := random.Image(256, 1)
	if err != nil {
		t.Fatalf("making an image: %v", err)
	}
	ref := r.parse(t, repository+":"+tag)
	if err := remote.Write(ref, img, remote.WithContext(t.Context())); err != nil {
		t.Fatalf("pushing %s: %v", ref, err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatalf("reading the digest of %s: %v", ref, err)
	}
	return image.Reference{Registry: r.Host, Repository: repository, Tag: tag, Digest: digest.String()}
}

func (r *Registry) parse(t testing.TB, rest string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(r.Host + "/" + rest)
	if err != nil {
		t.Fatalf("reading a reference: %v", err)
	}
	return ref
}
