package manifest

import (
	"fmt"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Object is one Kubernetes object of a file.
type Object struct {
	// JSON of the whole object.
	JSON []byte
	// APIVersion, Kind, Namespace and Name as they stand in it; Name is generateName where there is no name.
	APIVersion, Kind, Namespace, Name string
	// File as people name it: as it was given, "-" for the standard input.
	File string
	// Line on which the object begins, 1 for the first; 0 where none can be told.
	Line int

	// root is nil where the object was made and not written.
	root *yaml.Node
	// offset is added to the lines of the nodes.
	offset int
}

// GroupKind of the object.
func (o *Object) GroupKind() schema.GroupKind {
	return schema.FromAPIVersionAndKind(o.APIVersion, o.Kind).GroupKind()
}

// Position returns the line and column, 1 for the first, of a field named by its path from the object's root:
// "spec.template.spec.containers[0].image". Of a field that does not exist it is that of the nearest parent that
// does; 0 where nothing is known.
func (o *Object) Position(field string) (line, column int) {
	if o.root == nil {
		return o.Line, 0
	}
	node := locate(o.root, field)
	return node.Line + o.offset, node.Column
}

// Problem is a place that cannot be read.
type Problem struct {
	// File as people name it.
	File string
	// Line and Column, 1 for the first; 0 where they are not known.
	Line, Column int
	// Message says what is wrong, without the place.
	Message string

	// kustomization is the directory of the kustomization that was met in a directory; else empty.
	kustomization string
}

// Error is FILE:LINE:COLUMN: MESSAGE.
func (p *Problem) Error() string {
	switch {
	case p.Line == 0:
		return p.File + ": " + p.Message
	case p.Column == 0:
		return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}
