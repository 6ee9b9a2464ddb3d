package manifest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	sigsyaml "sigs.k8s.io/yaml"
)

// build makes the objects of a kustomization, under kubectl's restrictions: files above the kustomization, plugins and
// Helm charts are refused, and, beyond kubectl, everything remote.
func build(directory string) ([]*Object, *Problem) {
	refuse := func(message string) ([]*Object, *Problem) {
		return nil, &Problem{File: filepath.Clean(directory), Message: message}
	}
	if isRemote(directory) {
		return refuse("is remote, and nothing is fetched from the network: clone it first")
	}
	info, err := os.Stat(directory)
	if err != nil {
		return refuse(reason(err))
	}
	if !info.IsDir() {
		return refuse("is no directory: -k takes a directory that holds a kustomization file")
	}
	files, err := newOriginFS(filesys.MakeFsOnDisk(), directory)
	if err != nil {
		return refuse(err.Error())
	}
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, directory)
	if files.refused != nil {
		return refuse(files.refused.Error())
	}
	if err != nil {
		return refuse("cannot be built: " + strings.Join(strings.Fields(err.Error()), " "))
	}
	sources := sources{directory: directory, read: map[string][]*Object{}}
	var objects []*Object
	for _, made := range resources.Resources() {
		object, err := sources.object(made, files.added)
		if err != nil {
			return refuse("cannot be built: " + err.Error())
		}
		objects = append(objects, object)
	}
	if len(objects) == 0 {
		return refuse("holds no Kubernetes object")
	}
	return objects, nil
}

// sources leads from what a kustomization made back to what was written.
type sources struct {
	directory string
	// read are the objects of a file, by its path.
	read map[string][]*Object
}

// object makes an Object of a resource. With strip the annotation of its origin is taken out, since nobody wrote it.
func (s *sources) object(made *resource.Resource, strip bool) (*Object, error) {
	origin, err := made.GetOrigin()
	if err != nil {
		return nil, fmt.Errorf("reading the origin of %s: %w", made.CurId(), err)
	}
	if strip {
		if err := made.SetOrigin(nil); err != nil {
			return nil, fmt.Errorf("removing the origin of %s: %w", made.CurId(), err)
		}
	}
	text, err := made.AsYAML()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", made.CurId(), err)
	}
	raw, err := sigsyaml.YAMLToJSON(text)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", made.CurId(), err)
	}
	id := made.CurId()
	object := &Object{
		JSON: raw, APIVersion: made.GetApiVersion(), Kind: made.GetKind(), Namespace: made.GetNamespace(), Name: id.Name,
		File: s.kustomization(),
	}
	if origin == nil || origin.Repo != "" || origin.Path == "" {
		return object, nil
	}
	path := filepath.Join(s.directory, origin.Path)
	if written := s.written(path, made); written != nil {
		object.File, object.Line, object.root, object.offset = path, written.Line, written.root, written.offset
	}
	return object, nil
}

// written finds the object of a file that a resource was made from. Kustomize keeps the kind, and does not tell the
// former name: it is what is left of the new one without a prefix and a suffix, else the only one of its kind.
func (s *sources) written(path string, made *resource.Resource) *Object {
	objects, known := s.read[path]
	if !known {
		// What kustomize could read and this package cannot has no position.
		objects, _ = readFile(path, strings.NewReader(""))
		s.read[path] = objects
	}
	var nearest *Object
	sameKind := 0
	name := made.GetName()
	for _, object := range objects {
		if object.Kind != made.GetKind() {
			continue
		}
		sameKind++
		if strings.Contains(name, object.Name) && (nearest == nil || len(object.Name) > len(nearest.Name)) {
			nearest = object
		}
	}
	if nearest == nil && sameKind == 1 {
		for _, object := range objects {
			if object.Kind == made.GetKind() {
				return object
			}
		}
	}
	return nearest
}

// kustomization is the file that stands for all that has no other.
func (s *sources) kustomization() string {
	if name, err := kustomizationFile(s.directory); err == nil {
		return filepath.Join(s.directory, name)
	}
	return filepath.Clean(s.directory)
}
