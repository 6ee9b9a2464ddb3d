package registry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

// mirrored is a registry and its mirror, which holds a copy of team/web.
func mirrored(t *testing.T) (origin, mirror *server, config registry.Config, ref image.Reference) {
	t.Helper()
	origin = newServer(t, ggcr.WithReferrersSupport(true))
	mirror = newServer(t, ggcr.WithReferrersSupport(true))
	ref = origin.push(t, "team/web", "v1")
	source, err := name.NewDigest(ref.String())
	if err != nil {
		t.Fatal(err)
	}
	img, err := remote.Image(source, remote.WithTransport(direct{origin.real}))
	if err != nil {
		t.Fatal(err)
	}
	mirror.write(t, "copies/of/team/web", "v1", img)
	config.Registries = []registry.Registry{{Host: origin.host(), PlainHTTP: true, Mirrors: []string{mirror.host() + "/copies/of"}}}
	return origin, mirror, config, ref
}

func TestAMirrorIsAskedFirst(t *testing.T) {
	origin, mirror, config, ref := mirrored(t)
	client := newClient(t, config)
	if _, err := client.Manifest(t.Context(), registry.Access{}, ref); err != nil {
		t.Fatal(err)
	}
	tag := origin.reference(t, "team/web:v1")
	if got, err := client.Head(t.Context(), registry.Access{}, tag); err != nil || got != ref.Digest {
		t.Fatalf("Head = %q, %v", got, err)
	}
	if got := origin.requests(); len(got) > 0 {
		t.Errorf("the registry was asked %q though its mirror answers", got)
	}
	want := []string{"GET /v2/", "GET /v2/copies/of/team/web/manifests/" + ref.Digest, "HEAD /v2/copies/of/team/web/manifests/v1"}
	if diff := cmp.Diff(want, mirror.requests()); diff != "" {
		t.Errorf("the mirror was asked (-want +got):\n%s", diff)
	}
	if !client.Mirrored(ref.Registry) || client.WithoutMirrors().Mirrored(ref.Registry) {
		t.Error("Mirrored is wrong")
	}
	if _, err := client.WithoutMirrors().Manifest(t.Context(), registry.Access{}, ref); err != nil {
		t.Fatal(err)
	}
	if got := mirror.requests(); len(got) > 0 || len(origin.requests()) != 2 {
		t.Errorf("without mirrors, the mirror was asked %q", got)
	}
}

func TestTheRegistryIsAskedWhereItsMirrorDoesNotHelp(t *testing.T) {
	t.Parallel()
	tests := map[string]func(http.ResponseWriter, *http.Request) bool{
		"lacks it":          func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(404); return true },
		"fails":             func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(503); return true },
		"throttles":         func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(429); return true },
		"refuses":           func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(403); return true },
		"hangs":             func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true },
		"has other content": func(w http.ResponseWriter, _ *http.Request) bool { _, _ = io.WriteString(w, "{}"); return true },
	}
	for name, fault := range tests {
		t.Run(name, func(t *testing.T) {
			_, mirror, config, ref := mirrored(t)
			mirror.answer(func(w http.ResponseWriter, request *http.Request) bool {
				return request.URL.Path != "/v2/" && fault(w, request)
			})
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			manifest, err := newClient(t, config).Manifest(ctx, registry.Access{}, ref)
			if err != nil || manifest.Digest != ref.Digest {
				t.Errorf("Manifest = %s, %v", manifest.Digest, err)
			}
		})
	}
}

func TestWhatAMirrorLacksIsNoAnswer(t *testing.T) {
	origin, mirror, config, _ := mirrored(t)
	missing := origin.reference(t, "team/web@"+someDigest)
	client := newClient(t, config)
	if err := client.Exists(t.Context(), registry.Access{}, missing); !errors.Is(err, image.ErrNotExist) {
		t.Errorf("Exists = %v, want image.ErrNotExist", err)
	}
	origin.status("/v2/team", http.StatusServiceUnavailable)
	err := client.Exists(t.Context(), registry.Access{}, missing)
	if failed := failure(t, err); failed.Registry != origin.host() || strings.Contains(failed.Cause, "mirrors") {
		t.Errorf("error = %+v", failed)
	}
	mirror.status("/v2/copies", http.StatusForbidden)
	err = client.Exists(t.Context(), registry.Access{}, missing)
	want := fmt.Sprintf(`its mirrors did not help: registry %q refuses access (403 Forbidden)`, mirror.host())
	if failed := failure(t, err); failed.Status != 503 || !strings.Contains(failed.Cause, want) {
		t.Errorf("error = %v, want %q", err, want)
	}
	found, err := client.Referrers(t.Context(), registry.Access{}, missing, everything, 10)
	if failure(t, err); len(found.Descriptors) > 0 {
		t.Errorf("Referrers = %+v", found)
	}
}

func TestReferrersThatAMirrorLacksAreThoseOfTheRegistry(t *testing.T) {
	origin, _, config, ref := mirrored(t)
	want := origin.refer(t, ref, bundleType, "signature")
	found, err := newClient(t, config).Referrers(t.Context(), registry.Access{}, ref, everything, 10)
	if diff := cmp.Diff([]string{want}, digests(found)); err != nil || diff != "" {
		t.Errorf("Referrers: %v (-want +got):\n%s", err, diff)
	}
}

func TestAMirrorIsNotShownTheCredentialsOfTheRegistry(t *testing.T) {
	origin, mirror, config, ref := mirrored(t)
	var shown []string
	mirror.answer(func(_ http.ResponseWriter, request *http.Request) bool {
		if got := request.Header.Get("Authorization"); got != "" {
			shown = append(shown, got)
		}
		return false
	})
	config.Keychain = keychain{origin.host(): "secret"}
	if err := newClient(t, config).Exists(t.Context(), registry.Access{}, ref); err != nil {
		t.Fatal(err)
	}
	if len(shown) > 0 {
		t.Errorf("the mirror was shown %q", shown)
	}
}
