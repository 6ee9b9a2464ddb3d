package manifests

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
)

//go:embed crds/*.yaml base/*.yaml
var files embed.FS

// File is one manifest: one or more YAML documents.
type File struct {
	// Name is the path below this directory, such as "base/deployment.yaml".
	Name    string
	Content []byte
}

// CRDs returns the CustomResourceDefinitions of Rune's kinds, sorted by file name.
func CRDs() ([]File, error) { return read("crds") }

// Base returns what runs and is granted in the cluster, sorted by file name.
func Base() ([]File, error) { return read("base") }

func read(directory string) ([]File, error) {
	names, err := fs.Glob(files, path.Join(directory, "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("listing embedded manifests in %q: %w", directory, err)
	}
	slices.Sort(names)
	all := make([]File, 0, len(names))
	for _, name := range names {
		content, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading embedded manifest %q: %w", name, err)
		}
		all = append(all, File{Name: name, Content: content})
	}
	return all, nil
}
