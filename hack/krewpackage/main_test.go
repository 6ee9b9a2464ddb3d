package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

func newRequest(t *testing.T) (r request, binary string) {
	t.Helper()
	dir := t.TempDir()
	binary = filepath.Join(dir, "built")
	license := filepath.Join(dir, "license.txt")
	for path, content := range map[string]string{binary: "#!/bin/sh\n", license: "Apache\n"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return request{
		version:  "v1.2.3",
		out:      filepath.Join(dir, "dist"),
		license:  license,
		template: filepath.Join("..", "..", "krew", "rune.yaml"),
		baseURI:  "https://example.com/releases",
	}, binary
}

// platform is the part of a krew manifest that a client acts on.
type platform struct {
	URI      string `json:"uri"`
	SHA256   string `json:"sha256"`
	Bin      string `json:"bin"`
	Selector struct {
		MatchLabels map[string]string `json:"matchLabels"`
	} `json:"selector"`
}

func TestRunWritesArchivesThatTheManifestNames(t *testing.T) {
	r, binary := newRequest(t)
	if err := run(r, []string{"linux/amd64=" + binary, "windows/arm64=" + binary}); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(r.out, "rune.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Spec struct {
			Version   string     `json:"version"`
			Platforms []platform `json:"platforms"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(content, &got); err != nil {
		t.Fatal(err)
	}
	if got.Spec.Version != "v1.2.3" {
		t.Errorf("version = %q, want v1.2.3", got.Spec.Version)
	}
	wantBins := []string{"kubectl-rune", "kubectl-rune.exe"}
	for i, p := range got.Spec.Platforms {
		file := "kubectl-rune_v1.2.3_" + p.Selector.MatchLabels["os"] + "_" + p.Selector.MatchLabels["arch"] + ".tar.gz"
		if want := "https://example.com/releases/v1.2.3/" + file; p.URI != want {
			t.Errorf("uri = %q, want %q", p.URI, want)
		}
		packed, err := os.ReadFile(filepath.Join(r.out, file))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(packed); p.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("sha256 of %s = %q, want that of the file, %x", file, p.SHA256, sum)
		}
		want := map[string]int64{wantBins[i]: 0o755, "LICENSE": 0o644}
		if diff := cmp.Diff(want, modes(t, packed)); diff != "" {
			t.Errorf("files of %s differ (-want +got):\n%s", file, diff)
		}
		if p.Bin != wantBins[i] {
			t.Errorf("bin = %q, want %q", p.Bin, wantBins[i])
		}
	}
}

// modes lists the files of a tarball with their modes.
func modes(t *testing.T, packed []byte) map[string]int64 {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]int64{}
	for reader := tar.NewReader(unzipped); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = header.Mode
	}
}

func TestRunRefusesWhatKrewWouldRefuse(t *testing.T) {
	tests := map[string]struct {
		version string
		targets []string
		want    string
	}{
		"a version without its v":       {version: "1.2.3", targets: []string{"linux/amd64=x"}, want: "must begin with v"},
		"no target":                     {version: "v1.2.3", want: "no target"},
		"a target without a binary":     {version: "v1.2.3", targets: []string{"linux/amd64"}, want: "OS/ARCH=BINARY"},
		"a binary that does not exist":  {version: "v1.2.3", targets: []string{"linux/amd64=missing"}, want: `reading file "missing"`},
		"a platform without its second": {version: "v1.2.3", targets: []string{"linux=x"}, want: "OS/ARCH=BINARY"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, _ := newRequest(t)
			r.version = test.version
			if err := run(r, test.targets); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("run() = %v, want an error with %q", err, test.want)
			}
		})
	}
}
