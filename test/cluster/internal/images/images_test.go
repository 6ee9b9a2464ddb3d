package images

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// static builds a small static Linux binary.
func static(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "app")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

func options() Options {
	return Options{Entrypoint: "/app", Platform: "linux/amd64", User: "65532", Env: []string{"VERSION=v1"}}
}

func TestTheSameBinaryMakesTheSameImage(t *testing.T) {
	binary := static(t)
	digest := func(o Options) string {
		t.Helper()
		image, err := Build(binary, o)
		if err != nil {
			t.Fatal(err)
		}
		hash, err := image.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return hash.String()
	}
	first := digest(options())
	if second := digest(options()); first != second {
		t.Errorf("built twice, got %s and %s", first, second)
	}
	other := options()
	other.Env = []string{"VERSION=v2"}
	if second := digest(other); first == second {
		t.Errorf("another environment makes the same image %s", first)
	}
}

func TestAPushedImageIsWhatWasBuilt(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	tag, err := Reference(host, "web:v1")
	if err != nil {
		t.Fatal(err)
	}
	built, err := Build(static(t), options())
	if err != nil {
		t.Fatal(err)
	}
	transport, err := Transport("")
	if err != nil {
		t.Fatal(err)
	}
	digest, err := Push(t.Context(), tag, built, transport)
	if err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Image(digest)
	if err != nil {
		t.Fatal(err)
	}
	config, err := pulled.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	got := []any{config.Config.Entrypoint, config.Config.User, config.Config.Env, config.OS, config.Architecture, config.Created.Unix()}
	want := []any{[]string{"/app"}, "65532", []string{"PATH=/", "VERSION=v1"}, "linux", "amd64", int64(0)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

func TestBuildRefusesWhatWouldNotRun(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexit 0 # long enough for an ELF header\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	binary := static(t)
	tests := map[string]struct {
		binary string
		change func(*Options)
		want   string
	}{
		"a script has no interpreter in the image": {script, func(*Options) {}, "not a Linux executable"},
		"a missing file is named":                  {"nowhere", func(*Options) {}, "nowhere"},
		"an entrypoint must be absolute":           {binary, func(o *Options) { o.Entrypoint = "app" }, "want an absolute path"},
		"a platform needs an architecture":         {binary, func(o *Options) { o.Platform = "linux" }, "want os/architecture"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := options()
			test.change(&o)
			_, err := Build(test.binary, o)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestReference(t *testing.T) {
	tests := map[string]struct {
		registry, image string
		want            string // a reference, or a part of the error
	}{
		"the registry may be left out":        {"registry.localhost:5000", "web:v1", "registry.localhost:5000/web:v1"},
		"the registry may be named":           {"registry.localhost:5000", "registry.localhost:5000/shop/web:v1", "registry.localhost:5000/shop/web:v1"},
		"the tag may be left out":             {"localhost:5001", "web", "localhost:5001/web:latest"},
		"another registry is refused":         {"registry.localhost:5000", "registry.example.com/web:v1", `is of registry "registry.example.com"`},
		"without a registry nothing can load": {"", "web:v1", "E2E_REGISTRY"},
	}
	for title, test := range tests {
		t.Run(title, func(t *testing.T) {
			tag, err := Reference(test.registry, test.image)
			got := tag.Name()
			if err != nil {
				got = err.Error()
			}
			if err == nil && got != test.want || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestTheRegistrysNameIsSpokenToInPlainHTTP(t *testing.T) {
	// cosign and the webhook speak to it as go-containerregistry does, and
	// nobody passes them a flag.
	host, err := name.NewRegistry("registry.localhost:5000")
	if err != nil {
		t.Fatal(err)
	}
	if got := host.Scheme(); got != "http" {
		t.Errorf("scheme of %s is %q, want http", host, got)
	}
}
