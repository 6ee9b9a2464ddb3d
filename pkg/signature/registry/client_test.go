package registry_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

func TestHeadResolvesATagEachTime(t *testing.T) {
	s := newServer(t)
	first := s.push(t, "team/web", "v1")
	client := newClient(t, registry.Config{})
	tag := s.reference(t, "team/web:v1")
	if got, err := client.Head(t.Context(), registry.Access{}, tag); err != nil || got != first.Digest {
		t.Fatalf("Head = %q, %v; want %q", got, err, first.Digest)
	}
	second := s.push(t, "team/web", "v1")
	if got, err := client.Head(t.Context(), registry.Access{}, tag); err != nil || got != second.Digest {
		t.Fatalf("Head of the moved tag = %q, %v; want %q", got, err, second.Digest)
	}
	if got, err := client.Head(t.Context(), registry.Access{}, first); err != nil || got != first.Digest {
		t.Errorf("Head by digest = %q, %v; want %q", got, err, first.Digest)
	}
}

func TestHeadReadsTheManifestWhereTheAnswerHasNoDigest(t *testing.T) {
	tests := map[string]func(http.ResponseWriter){
		"no header":              func(http.ResponseWriter) {},
		"a header of no digest":  func(w http.ResponseWriter) { w.Header().Set("Docker-Content-Digest", "latest") },
		"HEAD is not understood": func(w http.ResponseWriter) { w.WriteHeader(http.StatusMethodNotAllowed) },
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			want := s.push(t, "team/web", "v1")
			s.answer(func(w http.ResponseWriter, request *http.Request) bool {
				if request.Method == http.MethodHead {
					answer(w)
				}
				return request.Method == http.MethodHead
			})
			client := newClient(t, registry.Config{})
			got, err := client.Head(t.Context(), registry.Access{}, s.reference(t, "team/web:v1"))
			if err != nil || got != want.Digest {
				t.Errorf("Head = %q, %v; want %q", got, err, want.Digest)
			}
		})
	}
}

func TestWhatIsNotThereIsAbsentAndNoFailure(t *testing.T) {
	s := newServer(t)
	there := s.push(t, "team/web", "v1")
	client := newClient(t, registry.Config{})
	tests := map[string]func() error{
		"a tag": func() error {
			_, err := client.Head(t.Context(), registry.Access{}, s.reference(t, "team/web:v2"))
			return err
		},
		"a digest": func() error {
			return client.Exists(t.Context(), registry.Access{}, s.reference(t, "team/web@"+someDigest))
		},
		"a repository": func() error {
			_, err := client.Manifest(t.Context(), registry.Access{}, s.reference(t, "other/web:v1"))
			return err
		},
		"a blob": func() error {
			_, err := client.Blob(t.Context(), registry.Access{}, there, someDigest, 10)
			return err
		},
	}
	for name, ask := range tests {
		t.Run(name, func(t *testing.T) {
			err := ask()
			if !errors.Is(err, image.ErrNotExist) {
				t.Fatalf("error = %v, want image.ErrNotExist", err)
			}
			if errors.As(err, new(*registry.Error)) {
				t.Errorf("%v is a failure too", err)
			}
			if !strings.Contains(err.Error(), s.host()) {
				t.Errorf("%q does not name the registry", err)
			}
		})
	}
	if err := client.Exists(t.Context(), registry.Access{}, there); err != nil {
		t.Errorf("Exists = %v for what is there", err)
	}
}

func TestManifestsAndBlobs(t *testing.T) {
	s := newServer(t)
	ref := s.push(t, "team/web", "v1")
	client := newClient(t, registry.Config{})
	byDigest, err := client.Manifest(t.Context(), registry.Access{}, ref)
	if err != nil {
		t.Fatal(err)
	}
	byTag, err := client.Manifest(t.Context(), registry.Access{}, s.reference(t, "team/web:v1"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(byDigest, byTag); diff != "" {
		t.Errorf("by tag and by digest differ:\n%s", diff)
	}
	if byDigest.Digest != ref.Digest || byDigest.MediaType != "application/vnd.docker.distribution.manifest.v2+json" {
		t.Errorf("Manifest = %s, %s", byDigest.MediaType, byDigest.Digest)
	}
	var manifest v1.Manifest
	if err := json.Unmarshal(byDigest.Raw, &manifest); err != nil {
		t.Fatal(err)
	}
	layer := manifest.Layers[0]
	content, err := client.Blob(t.Context(), registry.Access{}, ref, layer.Digest.String(), layer.Size)
	if err != nil || int64(len(content)) != layer.Size {
		t.Errorf("Blob = %d bytes, %v; want %d", len(content), err, layer.Size)
	}
}

func TestRequestsAreAsFewAsCanBe(t *testing.T) {
	s := newServer(t)
	ref := s.push(t, "team/web", "v1")
	other := s.push(t, "team/api", "v1")
	var mu sync.Mutex
	var kinds []registry.Kind
	client := newClient(t, registry.Config{
		Registries: []registry.Registry{{Host: s.host(), PlainHTTP: true}},
		Observe: func(request registry.Request) {
			mu.Lock()
			defer mu.Unlock()
			if request.Status != 0 {
				kinds = append(kinds, request.Kind)
			}
		},
	})
	fetch := func(ref image.Reference) {
		t.Helper()
		manifest, err := client.Manifest(t.Context(), registry.Access{}, ref)
		if err != nil {
			t.Fatal(err)
		}
		var read v1.Manifest
		if err := json.Unmarshal(manifest.Raw, &read); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Blob(t.Context(), registry.Access{}, ref, read.Layers[0].Digest.String(), read.Layers[0].Size); err != nil {
			t.Fatal(err)
		}
	}
	fetch(ref)
	if got := s.requests(); len(got) != 3 || got[0] != "GET /v2/" {
		t.Errorf("the first image took %q, want a ping, a manifest and a blob", got)
	}
	fetch(ref)
	fetch(other)
	if got := s.requests(); len(got) != 4 {
		t.Errorf("two more images took %q, want 2 requests each", got)
	}
	want := []registry.Kind{
		registry.KindPing, registry.KindManifest, registry.KindBlob,
		registry.KindManifest, registry.KindBlob, registry.KindManifest, registry.KindBlob,
	}
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("observed requests (-want +got):\n%s", diff)
	}
}

func TestReferencesThatNoParserMadeAreRefused(t *testing.T) {
	s := newServer(t)
	client := newClient(t, registry.Config{})
	tests := map[string]image.Reference{
		"an upper-case host":       {Registry: "REGISTRY.example.com", Repository: "web", Tag: "v1"},
		"a path that climbs":       {Registry: s.host(), Repository: "../../admin", Tag: "v1"},
		"a query":                  {Registry: s.host(), Repository: "web", Tag: "v1?x=y"},
		"neither tag nor digest":   {Registry: s.host(), Repository: "web"},
		"a digest of another kind": {Registry: s.host(), Repository: "web", Digest: "sha512:abc"},
	}
	for name, ref := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := client.Manifest(t.Context(), registry.Access{}, ref); err == nil || errors.Is(err, image.ErrNotExist) {
				t.Errorf("Manifest = %v, want an error that is no answer", err)
			}
			if _, err := client.Blob(t.Context(), registry.Access{}, ref, someDigest, 1); err == nil || errors.Is(err, image.ErrNotExist) {
				t.Errorf("Blob = %v, want an error that is no answer", err)
			}
		})
	}
	if got := s.requests(); len(got) > 0 {
		t.Errorf("the registry was asked %q", got)
	}
}

func TestAnUpperCaseHostIsTheSameRegistry(t *testing.T) {
	s := newServer(t)
	want := s.push(t, "team/web", "v1")
	_, port, _ := strings.Cut(s.host(), ":")
	client := newClient(t, registry.Config{Registries: []registry.Registry{{Host: "LocalHost:" + port, PlainHTTP: true}}})
	got, err := client.Head(t.Context(), registry.Access{}, parse(t, "LOCALHOST:"+port+"/team/web:v1"))
	if err != nil || got != want.Digest {
		t.Fatalf("Head = %q, %v; want %q", got, err, want.Digest)
	}
	if _, err := client.Head(t.Context(), registry.Access{}, parse(t, "localhost:"+port+"/team/web:v1")); err != nil {
		t.Fatal(err)
	}
	pings := slices.DeleteFunc(s.requests(), func(request string) bool { return request != "GET /v2/" })
	if len(pings) != 1 {
		t.Errorf("the registry was pinged %d times, want once", len(pings))
	}
}

func TestKeysOfAccess(t *testing.T) {
	if key := (registry.Access{}).Key(); key != "" {
		t.Errorf("the key of no access is %q", key)
	}
	distinct := []registry.Access{
		{}, {Namespace: "a"}, {ServiceAccount: "a"}, {PullSecrets: []string{"a"}},
		{Namespace: "a", ServiceAccount: "b"}, {Namespace: "a", ServiceAccount: "b", PullSecrets: []string{"c"}},
		{Namespace: "a", ServiceAccount: "b", PullSecrets: []string{"c", "d"}}, {Namespace: "a", ServiceAccount: "b", PullSecrets: []string{"d", "c"}},
		{Namespace: `a","b`}, {Namespace: "a,b"},
	}
	seen := map[string]int{}
	for i, access := range distinct {
		if other, found := seen[access.Key()]; found {
			t.Errorf("access %d and %d have the same key", i, other)
		}
		seen[access.Key()] = i
	}
}
