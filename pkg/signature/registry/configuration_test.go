package registry_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "registries.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const head = "apiVersion: rune.runeframeos.com/v1alpha1\nkind: RegistryConfiguration\n"

func TestReadConfiguration(t *testing.T) {
	s := newTLSServer(t)
	path := write(t, head+`
registries:
- host: registry.internal:5000
  plainHTTP: true
- host: Private.example.com
  caFile: ca.crt
  mirrors: [mirror.internal:5000/path/below, other.internal]
- host: docker.io
  mirrors: ["mirror.internal:5000/hub"]
- host: lab.example.com
  skipTLSVerify: true
`)
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "ca.crt"), []byte(certificate(s)), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := registry.ReadConfiguration(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []registry.Registry{
		{Host: "registry.internal:5000", PlainHTTP: true},
		{Host: "Private.example.com", CAFile: filepath.Join(filepath.Dir(path), "ca.crt"), Mirrors: []string{"mirror.internal:5000/path/below", "other.internal"}},
		{Host: "docker.io", Mirrors: []string{"mirror.internal:5000/hub"}},
		{Host: "lab.example.com", SkipTLSVerify: true},
	}
	if diff := cmp.Diff(want, got.Registries); diff != "" {
		t.Errorf("registries (-want +got):\n%s", diff)
	}
	client := newClient(t, registry.Config{Registries: got.Registries})
	if !client.Mirrored("docker.io") || !client.Mirrored("private.example.com") || client.Mirrored("lab.example.com") {
		t.Error("the mirrors are not those of the configuration")
	}
}

func TestMistakesInAConfiguration(t *testing.T) {
	tests := map[string]struct {
		content string
		want    []string
	}{
		"nothing":           {content: "", want: []string{`it is apiVersion "", kind ""`}},
		"another kind":      {content: "apiVersion: v1\nkind: ConfigMap\n", want: []string{`it is apiVersion "v1", kind "ConfigMap"`}},
		"no YAML":           {content: head + "\t- x", want: []string{"yaml"}},
		"a field twice":     {content: head + "kind: RegistryConfiguration\n", want: []string{"already"}},
		"an unknown field":  {content: head + "registries: [{host: r.example.com, insecure: true}]", want: []string{`unknown field "registries[0].insecure"`}},
		"a field's case":    {content: head + "registries: [{host: r.example.com, PlainHTTP: true}]", want: []string{`unknown field "registries[0].PlainHTTP"`}},
		"another type":      {content: head + "registries: [{host: 5}]", want: []string{"registries"}},
		"no host":           {content: head + "registries: [{}]", want: []string{`registries[0].host: "" is no registry host`}},
		"a URL":             {content: head + "registries: [{host: 'https://r.example.com'}]", want: []string{"registries[0].host"}},
		"a path":            {content: head + "registries: [{host: r.example.com/team}]", want: []string{"registries[0].host"}},
		"a bare word":       {content: head + "registries: [{host: registry}]", want: []string{"registries[0].host"}},
		"a host twice":      {content: head + "registries: [{host: r.example.com}, {host: R.example.com}]", want: []string{`registries[1].host: "R.example.com" stands here twice`}},
		"Docker Hub twice":  {content: head + "registries: [{host: docker.io}, {host: index.docker.io}]", want: []string{"registries[1].host"}},
		"no certificates":   {content: head + "registries: [{host: r.example.com, caData: x}]", want: []string{"registries[0].caData: it holds no PEM certificate"}},
		"a missing file":    {content: head + "registries: [{host: r.example.com, caFile: gone.crt}]", want: []string{"registries[0].caFile", "gone.crt"}},
		"a mirror of a URL": {content: head + "registries: [{host: r.example.com, mirrors: ['http://m.example.com']}]", want: []string{"registries[0].mirrors[0]"}},
		"a mirror's tag":    {content: head + "registries: [{host: r.example.com, mirrors: ['m.example.com/path:v1']}]", want: []string{"registries[0].mirrors[0]"}},
		"a mirror's slash":  {content: head + "registries: [{host: r.example.com, mirrors: ['m.example.com/']}]", want: []string{"registries[0].mirrors[0]"}},
		"a mirror's case":   {content: head + "registries: [{host: r.example.com, mirrors: ['m.example.com/Path']}]", want: []string{"registries[0].mirrors[0]"}},
		"its own mirror":    {content: head + "registries: [{host: r.example.com, mirrors: [R.example.com]}]", want: []string{"is the registry itself"}},
		"contradictions": {content: head + "registries: [{host: r.example.com, plainHTTP: true, skipTLSVerify: true, caData: x}]",
			want: []string{"registries[0].plainHTTP", "registries[0].skipTLSVerify", "registries[0].caData"}},
		"several at once": {content: "kind: RegistryConfiguration\nx: 1\nregistries: [{host: a b}, {host: r.example.com, mirrors: [x]}]",
			want: []string{`unknown field "x"`, "apiVersion", "registries[0].host", "registries[1].mirrors[0]"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := write(t, tt.content)
			_, err := registry.ReadConfiguration(path)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(tt.want, path) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error = %q, want it to contain %q", err, want)
				}
			}
		})
	}
	if _, err := registry.ReadConfiguration(filepath.Join(t.TempDir(), "gone.yaml")); err == nil {
		t.Error("a missing file is no error")
	}
	if _, err := registry.ReadConfiguration(write(t, strings.Repeat("#", 2<<20))); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a file of 2 MiB: %v", err)
	}
}

func TestNewRefusesTheSameMistakes(t *testing.T) {
	for name, config := range map[string]registry.Config{
		"a host":           {Registries: []registry.Registry{{Host: "a b"}}},
		"a negative bound": {MaxBlob: -1},
	} {
		if _, err := registry.New(config); err == nil {
			t.Errorf("New with %s of no sense gives no error", name)
		}
	}
}

// FuzzReadConfiguration checks that no content makes the reader fail but by an error, and that a
// Client can be made of all that it accepts.
func FuzzReadConfiguration(f *testing.F) {
	for _, seed := range []string{
		head, head + "registries: [{host: r.example.com, mirrors: [m.example.com/a]}]", head + "registries: [{host: '[::1]:5000', plainHTTP: true}]",
		head + "registries: [{host: localhost, caFile: x}]", "{", "- - -", head + "registries: [{host: docker.io}]", "&a [*a]",
	} {
		f.Add([]byte(seed))
	}
	path := filepath.Join(f.TempDir(), "registries.yaml")
	f.Fuzz(func(t *testing.T, content []byte) {
		// A path of the system is no matter of the parser.
		if strings.Contains(string(content), "caFile") {
			return
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		configuration, err := registry.ReadConfiguration(path)
		if err != nil {
			return
		}
		if _, err := registry.New(registry.Config{Registries: configuration.Registries}); err != nil {
			t.Errorf("what was read is refused: %v", err)
		}
		for _, r := range configuration.Registries {
			if strings.ContainsAny(r.Host, "/@ \n") {
				t.Errorf("the host %q was accepted", r.Host)
			}
		}
	})
}
