package manifest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// originFS lets kustomize read the disk with two differences: the kustomization that is built asks for annotations that
// tell where each object came from, and a file that refers to something remote cannot be read. All references that kustomize
// follows stand in files that it reads here, so it never gets to the network.
type originFS struct {
	filesys.FileSystem
	root string
	// added tells whether the annotations were asked for here and not by the kustomization itself.
	added bool
	// refused is why a file was not read.
	refused error
}

func newOriginFS(disk filesys.FileSystem, directory string) (*originFS, error) {
	name, err := kustomizationFile(directory)
	if err != nil {
		return nil, err
	}
	confirmed, _, err := disk.CleanedAbs(directory)
	if err != nil {
		return nil, err
	}
	return &originFS{FileSystem: disk, root: confirmed.Join(name)}, nil
}

// kustomizationFile returns the name of the kustomization file in a directory.
func kustomizationFile(directory string) (string, error) {
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		if info, err := os.Stat(filepath.Join(directory, name)); err == nil && !info.IsDir() {
			return name, nil
		}
	}
	return "", errors.New("holds no kustomization file (" + strings.Join(konfig.RecognizedKustomizationFileNames(), ", ") + ")")
}

// ReadFile implements filesys.FileSystem.
func (f *originFS) ReadFile(path string) ([]byte, error) {
	content, err := f.FileSystem.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if reference := remoteReference(path, content); reference != "" {
		f.refused = fmt.Errorf("refers to %q in %s, and nothing is fetched from the network: vendor it, or build it with kustomize and pass the result with -f -",
			reference, shown(path))
		return nil, f.refused
	}
	if path == f.root {
		return f.askForOrigins(content), nil
	}
	return content, nil
}

// shown names a file relative to the working directory where it is below it.
func shown(path string) string {
	working, err := os.Getwd()
	if err != nil {
		return path
	}
	if relative, err := filepath.Rel(working, path); err == nil && !strings.HasPrefix(relative, "..") {
		return relative
	}
	return path
}

// askForOrigins adds buildMetadata: [originAnnotations] to a kustomization. One that cannot be read is left to
// kustomize to complain about.
func (f *originFS) askForOrigins(content []byte) []byte {
	var root yaml.Node
	if err := yaml.Unmarshal(content, &root); err != nil || len(root.Content) == 0 || root.Content[0].Kind != yaml.MappingNode {
		return content
	}
	mapping := root.Content[0]
	_, metadata := find(mapping, "buildMetadata")
	if metadata == nil {
		metadata = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "buildMetadata"}, metadata)
	}
	if slices.ContainsFunc(metadata.Content, func(n *yaml.Node) bool { return n.Value == "originAnnotations" }) {
		return content
	}
	metadata.Content = append(metadata.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "originAnnotations"})
	changed, err := yaml.Marshal(&root)
	if err != nil {
		return content
	}
	f.added = true
	return changed
}
