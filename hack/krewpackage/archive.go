package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// archive is one platform of the manifest.
type archive struct {
	OS, Arch, Binary, URI, SHA256 string

	file string
}

// pack writes the archive of one target, "os/arch=binary".
func (r request) pack(target string) (archive, error) {
	platform, binary, hasBinary := strings.Cut(target, "=")
	goos, goarch, hasArch := strings.Cut(platform, "/")
	if !hasBinary || !hasArch {
		return archive{}, fmt.Errorf("target %q must have the form OS/ARCH=BINARY", target)
	}
	a := archive{
		OS:     goos,
		Arch:   goarch,
		Binary: "kubectl-rune",
		file:   fmt.Sprintf("kubectl-rune_%s_%s_%s.tar.gz", r.version, goos, goarch),
	}
	if goos == "windows" {
		a.Binary += ".exe"
	}
	content, err := tarball([]entry{
		{name: a.Binary, path: binary, mode: 0o755},
		{name: "LICENSE", path: r.license, mode: 0o644},
	})
	if err != nil {
		return archive{}, err
	}
	sum := sha256.Sum256(content)
	a.SHA256 = hex.EncodeToString(sum[:])
	a.URI = strings.Join([]string{r.baseURI, r.version, a.file}, "/")
	path := filepath.Join(r.out, a.file)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return archive{}, fmt.Errorf("writing archive %q: %w", path, err)
	}
	return a, nil
}

// entry is one file to pack: under which name, from where, with which mode.
type entry struct {
	name, path string
	mode       int64
}

// tarball packs the entries without owners and times, which would make every archive another one.
func tarball(entries []entry) ([]byte, error) {
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	packed := tar.NewWriter(zipped)
	for _, e := range entries {
		content, err := os.ReadFile(e.path)
		if err != nil {
			return nil, fmt.Errorf("reading file %q: %w", e.path, err)
		}
		header := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(content)), Format: tar.FormatUSTAR}
		if err := packed.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("packing file %q: %w", e.path, err)
		}
		if _, err := packed.Write(content); err != nil {
			return nil, fmt.Errorf("packing file %q: %w", e.path, err)
		}
	}
	if err := packed.Close(); err != nil {
		return nil, fmt.Errorf("closing the archive: %w", err)
	}
	if err := zipped.Close(); err != nil {
		return nil, fmt.Errorf("closing the archive: %w", err)
	}
	return b.Bytes(), nil
}
