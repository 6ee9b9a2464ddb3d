package image_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

const digest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

func TestParseNormalizes(t *testing.T) {
	tests := map[string]struct {
		text string
		want string
	}{
		"a bare name is an official image of Docker Hub": {text: "nginx", want: "docker.io/library/nginx:latest"},
		"a user's image of Docker Hub":                   {text: "ann/web:v1", want: "docker.io/ann/web:v1"},
		"Docker Hub's index":                             {text: "index.docker.io/nginx", want: "docker.io/library/nginx:latest"},
		"Docker Hub's endpoint":                          {text: "registry-1.docker.io/library/nginx", want: "docker.io/library/nginx:latest"},
		"an upper-case host is folded":                   {text: "Registry.EXAMPLE.com/web:V1", want: "registry.example.com/web:V1"},
		"a port is not a tag":                            {text: "registry.local:5000/web", want: "registry.local:5000/web:latest"},
		"localhost is a host":                            {text: "localhost/web:v1", want: "localhost/web:v1"},
		"a digest stands without a tag":                  {text: "r.local/web@" + digest, want: "r.local/web@" + digest},
		"a digest stands beside a tag":                   {text: "r.local/web:v1@" + digest, want: "r.local/web:v1@" + digest},
		"an IPv6 registry":                               {text: "[::1]:5000/web:v1", want: "[::1]:5000/web:v1"},
		"deep paths and separators":                      {text: "r.local/a/b__c/d--e.f:v_1.2-x", want: "r.local/a/b__c/d--e.f:v_1.2-x"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ref, err := image.Parse(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if ref.String() != tt.want {
				t.Errorf("Parse(%q) = %q, want %q", tt.text, ref, tt.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	tests := map[string]string{
		"nothing":                "",
		"a space":                "r.local/web v1",
		"upper case in the path": "r.local/Web",
		"an upper-case host without a domain, which in lower case is a user of Docker Hub": "REGISTRY/web",
		"an empty segment":        "r.local//web",
		"a host alone":            "r.local/",
		"an empty tag":            "r.local/web:",
		"a tag with a dash first": "r.local/web:-v1",
		"another hash":            "r.local/web@sha512:" + strings.Repeat("a", 128),
		"a short digest":          "r.local/web@sha256:abc",
		"an upper-case digest":    "r.local/web@sha256:" + strings.Repeat("A", 64),
		"two digests":             "r.local/web@" + digest + "@" + digest,
		"a scheme":                "https://r.local/web",
		"credentials":             "user@r.local/web",
		"a newline at the end":    "r.local/web:v1\n",
		"a name that is too long": "r.local/" + strings.Repeat("a", 256),
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			if ref, err := image.Parse(text); err == nil {
				t.Errorf("Parse(%q) = %+v, want an error", text, ref)
			}
		})
	}
}

func TestGlobsMatchWholeNames(t *testing.T) {
	tests := map[string]struct {
		glob, image string
		want        bool
	}{
		"a star stays in its segment":         {glob: "registry.example.com/*", image: "registry.example.com/web:v1", want: true},
		"a star does not cross segments":      {glob: "registry.example.com/*", image: "registry.example.com/team/web"},
		"two stars cross segments":            {glob: "registry.example.com/**", image: "registry.example.com/team/web", want: true},
		"a longer host does not match":        {glob: "registry.example.com/*", image: "registry.example.com.evil.org/web"},
		"a prefix of the host does not match": {glob: "registry.example.com/**", image: "evil.org/registry.example.com/web"},
		"an upper-case host is the same host": {glob: "registry.example.com/*", image: "REGISTRY.example.com/web", want: true},
		"an upper-case glob host too":         {glob: "REGISTRY.example.com/*", image: "registry.example.com/web", want: true},
		"a dot is a dot":                      {glob: "registry.example.com/*", image: "registryxexample.com/web"},
		"a port is another registry":          {glob: "registry.example.com/*", image: "registry.example.com:5000/web"},
		"Docker Hub is docker.io":             {glob: "docker.io/library/*", image: "nginx", want: true},
		"an alias of Docker Hub in the glob":  {glob: "index.docker.io/**", image: "nginx", want: true},
		"part of a segment":                   {glob: "r.local/team-*/web", image: "r.local/team-a/web", want: true},
		"everything":                          {glob: "**", image: "r.local/a/b/c", want: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			glob, err := image.ParseGlob(tt.glob)
			if err != nil {
				t.Fatal(err)
			}
			ref, err := image.Parse(tt.image)
			if err != nil {
				t.Fatal(err)
			}
			if got := glob.Match(ref); got != tt.want {
				t.Errorf("%q matches %q: %t, want %t", tt.glob, ref, got, tt.want)
			}
		})
	}
}

func TestGlobsThatCouldMatchNothingAreErrors(t *testing.T) {
	for _, text := range []string{"", "web", "*", "r.local/Web", "r.local/web:v1", "r.local/web@" + digest, "r.local/a b"} {
		if glob, err := image.ParseGlob(text); err == nil {
			t.Errorf("ParseGlob(%q) = %v, want an error", text, glob)
		}
	}
	if ref, _ := image.Parse("nginx"); (image.Glob{}).Match(ref) {
		t.Error("the zero Glob matches")
	}
}

// FuzzParse checks that the normal form is stable, and that the registry client understands every
// reference that the parser lets through, as the same registry and repository.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"nginx", "a/b:c", "r.local:5000/web:v1@" + digest, "REGISTRY/web", "[::1]/web", "a@b", "::", "a/b@" + digest} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ref, err := image.Parse(text)
		if err != nil {
			return
		}
		again, err := image.Parse(ref.String())
		if err != nil {
			t.Fatalf("the normal form %q of %q does not parse: %v", ref, text, err)
		}
		if diff := cmp.Diff(ref, again); diff != "" {
			t.Errorf("the normal form of %q is not stable:\n%s", text, diff)
		}
		if strings.HasPrefix(ref.Registry, "[") || len(ref.Repository) < 2 {
			return // the client refuses these, so they are never verified
		}
		seen, err := name.ParseReference(ref.String())
		if err != nil {
			return
		}
		registry := strings.Replace(seen.Context().RegistryStr(), "index.docker.io", "docker.io", 1)
		if registry+"/"+seen.Context().RepositoryStr() != ref.Name() {
			t.Errorf("the registry client reads %q as %s, not %s", ref, seen.Context(), ref.Name())
		}
	})
}

func FuzzGlob(f *testing.F) {
	f.Add("r.local/*", "r.local/web")
	f.Add("**", "nginx")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		glob, err := image.ParseGlob(pattern)
		if err != nil {
			return
		}
		if ref, err := image.Parse(text); err == nil && pattern == ref.Name() && !glob.Match(ref) {
			t.Errorf("the name %q does not match itself as a glob", pattern)
		}
	})
}
