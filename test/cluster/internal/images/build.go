package images

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Options are what an image is made with beside its binary.
type Options struct {
	// Entrypoint is where the binary lies in the image, absolute.
	Entrypoint string
	// Platform is os/architecture.
	Platform string
	// User is the user, or user:group, that the process runs as.
	User string
	// Env are KEY=VALUE.
	Env []string
}

// Build makes an image that holds the binary and nothing else. The same binary
// and options always make the same digest.
func Build(binary string, options Options) (v1.Image, error) {
	platform, err := v1.ParsePlatform(options.Platform)
	if err != nil || platform.Architecture == "" {
		return nil, fmt.Errorf("reading platform %q: want os/architecture, such as linux/amd64", options.Platform)
	}
	if !path.IsAbs(options.Entrypoint) {
		return nil, fmt.Errorf("reading entrypoint %q: want an absolute path", options.Entrypoint)
	}
	if err := checkStatic(binary); err != nil {
		return nil, err
	}
	archive, err := archiveOf(binary, path.Clean(options.Entrypoint))
	if err != nil {
		return nil, fmt.Errorf("packing %s: %w", binary, err)
	}
	layer, err := tarball.LayerFromOpener(
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil },
		tarball.WithCompressionLevel(gzip.BestSpeed),
	)
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	return configure(image, platform, options)
}

// configure returns the image with the options in its configuration.
func configure(image v1.Image, platform *v1.Platform, options Options) (v1.Image, error) {
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = platform.OS, platform.Architecture, platform.Variant
	config.Created = v1.Time{Time: time.Unix(0, 0).UTC()}
	config.Config = v1.Config{
		Entrypoint: []string{path.Clean(options.Entrypoint)},
		User:       options.User,
		Env:        append([]string{"PATH=/"}, options.Env...),
		WorkingDir: "/",
	}
	return mutate.ConfigFile(image, config)
}

// checkStatic returns an error unless the file is an ELF executable that needs
// no libraries: the image has none.
func checkStatic(binary string) error {
	file, err := elf.Open(binary)
	var format *elf.FormatError
	if errors.As(err, &format) {
		return fmt.Errorf("reading %s: it is not a Linux executable; build it with CGO_ENABLED=0 GOOS=linux go build", binary)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP {
			return fmt.Errorf("reading %s: it is linked dynamically and the image has no libraries; build it with CGO_ENABLED=0", binary)
		}
	}
	return nil
}

// archiveOf returns a tar archive with the binary at target, times and owners
// of nobody and never.
func archiveOf(binary, target string) ([]byte, error) {
	content, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	var buffer bytes.Buffer
	archive := tar.NewWriter(&buffer)
	never := time.Unix(0, 0).UTC()
	target = strings.TrimPrefix(target, "/")
	for i, letter := range target {
		if letter == '/' {
			header := &tar.Header{Typeflag: tar.TypeDir, Name: target[:i+1], Mode: 0o755, ModTime: never}
			if err := archive.WriteHeader(header); err != nil {
				return nil, err
			}
		}
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: target, Mode: 0o755, Size: int64(len(content)), ModTime: never}
	if err := archive.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := archive.Write(content); err != nil {
		return nil, err
	}
	return buffer.Bytes(), archive.Close()
}
