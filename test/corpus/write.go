package corpus

import (
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Write writes the suite's objects as manifests of a namespace into a directory: one file for each object, which
// holds what stands beside it too.
func (s Suite) Write(directory, namespace string) error {
	for i, content := range s.Beside {
		name := filepath.Join(directory, fmt.Sprintf("%s-beside-%d.yaml", s.Name, i))
		if err := writeFile(name, placed(content, namespace)); err != nil {
			return err
		}
	}
	for _, object := range s.Objects {
		content, with := object.In(namespace)
		name := filepath.Join(directory, s.Name+"-"+object.Name+".yaml")
		if err := writeFile(name, append([]*unstructured.Unstructured{content}, with...)...); err != nil {
			return err
		}
	}
	return nil
}

// WriteEnvironment writes the suite's Environment over some namespaces into a directory.
func (s Suite) WriteEnvironment(directory string, namespaces ...string) error {
	manifest, err := yaml.Marshal(s.Environment(namespaces...))
	if err != nil {
		return fmt.Errorf("encoding Environment %s%s: %w", Prefix, s.Name, err)
	}
	if err := os.WriteFile(filepath.Join(directory, s.Name+".yaml"), manifest, 0o600); err != nil {
		return fmt.Errorf("writing Environment %s%s: %w", Prefix, s.Name, err)
	}
	return nil
}

func writeFile(name string, objects ...*unstructured.Unstructured) error {
	var content []byte
	for i, object := range objects {
		manifest, err := yaml.Marshal(object.Object)
		if err != nil {
			return fmt.Errorf("encoding %s %q: %w", object.GetKind(), object.GetName(), err)
		}
		if i > 0 {
			content = append(content, "---\n"...)
		}
		content = append(content, manifest...)
	}
	if err := os.WriteFile(name, content, 0o600); err != nil {
		return fmt.Errorf("writing a manifest: %w", err)
	}
	return nil
}
