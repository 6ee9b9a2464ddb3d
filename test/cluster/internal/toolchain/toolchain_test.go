package toolchain

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestContentHashCoversAllThatABuildDependsOn(t *testing.T) {
	base := Tool{Name: "app", Packages: []string{"."}, Binaries: []string{"app"}}
	module := func(t *testing.T, main string) string {
		t.Helper()
		dir := t.TempDir()
		for name, content := range map[string]string{"go.mod": "module app\n", "main.go": main, "main_test.go": t.Name()} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	hash := func(t *testing.T, tool Tool, main, goVersion string, flags ...string) string {
		t.Helper()
		got, err := contentHash(tool, module(t, main), goVersion, flags)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	want := hash(t, base, "package main", "go1.26", "-trimpath")
	t.Run("a test and the place of the module do not matter", func(t *testing.T) {
		if got := hash(t, base, "package main", "go1.26", "-trimpath"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	linked, collecting := base, base
	linked.Links = []string{"alias"}
	collecting.Collect = map[string][]string{"all.yaml": {"*.yaml"}}
	for name, got := range map[string]string{
		"the source":       hash(t, base, "package main // changed", "go1.26", "-trimpath"),
		"the Go version":   hash(t, base, "package main", "go1.27", "-trimpath"),
		"the flags":        hash(t, base, "package main", "go1.26"),
		"the links":        hash(t, linked, "package main", "go1.26", "-trimpath"),
		"what it collects": hash(t, collecting, "package main", "go1.26", "-trimpath"),
	} {
		if got == want {
			t.Errorf("%s can change without changing the hash", name)
		}
	}
}

func TestABuildIsKeptAndNotRepeated(t *testing.T) {
	sources := t.TempDir()
	module := filepath.Join(sources, "pause")
	if err := os.CopyFS(module, os.DirFS(filepath.Join("..", "..", "tools", "pause"))); err != nil {
		t.Fatal(err)
	}
	var progress strings.Builder
	cache := &Cache{sources: sources, bin: filepath.Join(t.TempDir(), "bin"), goVersion: "go1.26", progress: &progress}
	first, err := cache.Ensure(t.Context(), "pause")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(progress.String(), "building pause (1 of 1)") {
		t.Errorf("the progress does not say what is built: %q", progress.String())
	}
	if info, err := os.Stat(first["pause"]); err != nil || info.Mode()&0o111 == 0 {
		t.Fatalf("%s cannot be run: %v", first["pause"], err)
	}
	progress.Reset()
	second, err := cache.Ensure(t.Context(), "pause")
	if err != nil {
		t.Fatal(err)
	}
	if second["pause"] != first["pause"] || progress.Len() > 0 {
		t.Errorf("the second time gave %s with progress %q, want %s and silence", second["pause"], progress.String(), first["pause"])
	}
}

func TestABrokenBuildShowsTheCompilersWordsAndLeavesNothing(t *testing.T) {
	sources, bin := t.TempDir(), filepath.Join(t.TempDir(), "bin")
	module := filepath.Join(sources, "pause")
	if err := os.MkdirAll(module, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"go.mod": "module app\n\ngo 1.26.0\n", "main.go": "package main\n\nfunc main() { missing() }\n"} {
		if err := os.WriteFile(filepath.Join(module, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cache := &Cache{sources: sources, bin: bin, goVersion: "go1.26", progress: &strings.Builder{}}
	_, err := cache.Ensure(t.Context(), "pause")
	if err == nil || !strings.Contains(err.Error(), "undefined: missing") {
		t.Errorf("got error %v, want the compiler's", err)
	}
	entries, err := os.ReadDir(bin)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.IsDir() {
			t.Errorf("%s is left", entry.Name())
		}
	}
}

func TestEveryToolHasAVersionAndEveryProgramOneTool(t *testing.T) {
	owners := map[string]string{}
	for _, tool := range Tools() {
		got, err := version(filepath.Join("..", "..", "tools", tool.Name), tool.Module)
		if err != nil || tool.Module != "" && got == "" {
			t.Errorf("tool %s has version %q: %v", tool.Name, got, err)
		}
		for _, program := range append(append([]string{}, tool.Binaries...), tool.Links...) {
			if owners[program] != "" {
				t.Errorf("program %s is of %s and of %s", program, owners[program], tool.Name)
			}
			owners[program] = tool.Name
			if found, ok := Find(program); !ok || found.Name != tool.Name {
				t.Errorf("Find(%q) gives %q, want %q", program, found.Name, tool.Name)
			}
		}
	}
}
