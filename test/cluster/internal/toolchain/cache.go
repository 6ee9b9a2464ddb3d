package toolchain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/layout"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/process"
)

// Cache builds tools and keeps what it built.
type Cache struct {
	sources   string
	bin       string
	goVersion string
	progress  io.Writer
}

// NewCache returns the user's cache. It reports on progress what it builds.
func NewCache(ctx context.Context, progress io.Writer) (*Cache, error) {
	sources, err := SourceDir()
	if err != nil {
		return nil, err
	}
	root, err := layout.CacheDir()
	if err != nil {
		return nil, err
	}
	goVersion, err := exec.CommandContext(ctx, "go", "env", "GOVERSION").Output()
	if err != nil {
		return nil, fmt.Errorf("running go env GOVERSION: %w", err)
	}
	return &Cache{
		sources: sources, bin: filepath.Join(root, "bin"),
		goVersion: strings.TrimSpace(string(goVersion)), progress: progress,
	}, nil
}

// Binaries maps the name of a program (or collected file) to its path.
type Binaries map[string]string

// Ensure returns the programs of the named tools after building those that the
// cache does not hold.
func (c *Cache) Ensure(ctx context.Context, tools ...string) (Binaries, error) {
	binaries := Binaries{}
	for i, name := range tools {
		tool, ok := Find(name)
		if !ok {
			return nil, fmt.Errorf("looking for tool %q: there is none of that name", name)
		}
		dir, err := c.ensure(ctx, tool, fmt.Sprintf("%d of %d", i+1, len(tools)))
		if err != nil {
			return nil, err
		}
		for _, program := range append(append([]string{}, tool.Binaries...), tool.Links...) {
			binaries[program] = filepath.Join(dir, program)
		}
		for file := range tool.Collect {
			binaries[file] = filepath.Join(dir, file)
		}
	}
	return binaries, nil
}

// Version returns the version by which a tool is known, without building it.
func (c *Cache) Version(name string) (string, error) {
	tool, ok := Find(name)
	if !ok {
		return "", fmt.Errorf("looking for tool %q: there is none of that name", name)
	}
	return version(filepath.Join(c.sources, tool.Name), tool.Module)
}

// ensure returns the directory with the tool's binaries. Of several processes
// that want the same one, the first builds and the others wait for it.
func (c *Cache) ensure(ctx context.Context, tool Tool, position string) (string, error) {
	source := filepath.Join(c.sources, tool.Name)
	toolVersion, err := version(source, tool.Module)
	if err != nil {
		return "", err
	}
	flags := tool.flags(toolVersion)
	hash, err := contentHash(tool, source, c.goVersion, flags)
	if err != nil {
		return "", fmt.Errorf("hashing the sources of %s: %w", tool.Name, err)
	}
	final := filepath.Join(c.bin, tool.Name+"-"+hash)
	if present(final) {
		return final, nil
	}
	title := strings.TrimSpace(tool.Name + " " + strings.TrimPrefix(toolVersion, "v"))
	unlock, err := process.Lock(ctx, filepath.Join(c.bin, "."+tool.Name+".lock"), func() {
		fmt.Fprintf(c.progress, "waiting for another process that builds %s\n", title)
	})
	if err != nil {
		return "", err
	}
	defer unlock()
	if present(final) {
		return final, nil
	}
	temporary, err := os.MkdirTemp(c.bin, ".building-"+tool.Name+"-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temporary) // nothing is left there after the rename
	b := build{tool: tool, title: title, position: position, source: source, out: temporary, flags: flags, progress: c.progress}
	if err := b.run(ctx); err != nil {
		return "", err
	}
	if err := os.Chmod(temporary, 0o755); err != nil {
		return "", err
	}
	if err := os.Rename(temporary, final); err != nil {
		return "", fmt.Errorf("keeping the build of %s: %w", tool.Name, err)
	}
	return final, nil
}

// present reports whether the cache entry is there. Entries appear by a rename
// and so are whole.
func present(dir string) bool {
	_, err := os.Stat(dir)
	return !errors.Is(err, fs.ErrNotExist)
}
