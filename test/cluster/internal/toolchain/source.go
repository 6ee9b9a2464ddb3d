package toolchain

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// SourceDir returns the directory that holds the tools' modules: that of
// $RUNE_CLUSTER_SOURCE, of the source that this program was built from, or of
// the checkout around the program or the working directory.
func SourceDir() (string, error) {
	var tried []string
	if dir := os.Getenv("RUNE_CLUSTER_SOURCE"); dir != "" {
		tried = append(tried, dir)
	} else {
		if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
			tried = append(tried, filepath.Join(filepath.Dir(file), "..", ".."))
		}
		tried = append(tried, around(os.Executable)...)
		tried = append(tried, around(os.Getwd)...)
	}
	for _, dir := range tried {
		tools := filepath.Join(dir, "tools")
		if _, err := os.Stat(filepath.Join(tools, "kubernetes", "go.mod")); err == nil {
			return tools, nil
		}
	}
	return "", errors.New("finding the sources of the test cluster's tools: no tools/kubernetes/go.mod in any directory above this program or the working directory; set RUNE_CLUSTER_SOURCE to the directory test/cluster of a checkout")
}

// around returns the directories at and above a place in which the sources may
// be.
func around(place func() (string, error)) []string {
	dir, err := place()
	if err != nil {
		return nil
	}
	var dirs []string
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		dirs = append(dirs, dir, filepath.Join(dir, "test", "cluster"))
	}
	return dirs
}

// version returns the version of module that the go.mod in dir requires.
func version(dir, module string) (string, error) {
	if module == "" {
		return "", nil
	}
	path := filepath.Join(dir, "go.mod")
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	file, err := modfile.Parse(path, data, nil)
	if err != nil {
		return "", err
	}
	for _, require := range file.Require {
		if require.Mod.Path == module {
			return require.Mod.Version, nil
		}
	}
	return "", fmt.Errorf("reading %s: it does not require %s", path, module)
}

// contentHash returns a hash over everything that the tool's binaries depend
// on: its module's files, what is asked of the go command, and that command.
func contentHash(tool Tool, dir, goVersion string, flags []string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %q %q %q %q %q\n", goVersion, runtime.GOOS, runtime.GOARCH, flags, tool.Packages, tool.Links)
	var collected []string
	for name, globs := range tool.Collect {
		collected = append(collected, fmt.Sprintf("%q %q", name, globs))
	}
	slices.Sort(collected)
	fmt.Fprintf(sum, "%q\n", collected)
	for _, entry := range entries { // sorted by name, see os.ReadDir
		if entry.IsDir() || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		file, err := os.Open(filepath.Join(dir, entry.Name()))
		if err != nil {
			return "", err
		}
		inner := sha256.New()
		_, err = io.Copy(inner, file)
		file.Close()
		if err != nil {
			return "", fmt.Errorf("reading %s: %w", file.Name(), err)
		}
		fmt.Fprintf(sum, "%s %x\n", entry.Name(), inner.Sum(nil))
	}
	return hex.EncodeToString(sum.Sum(nil))[:16], nil
}
