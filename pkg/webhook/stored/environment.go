package stored

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// Environment is one as it is stored.
type Environment struct {
	// Environment is whole where Err is nil. Otherwise it holds the metadata, what could be read of
	// spec.namespaces, spec.namespaceSelector and spec.workloadKinds, and the status where that could be read.
	v1alpha1.Environment
	// Err tells why the object cannot be read.
	Err error
	// NamespacesKnown is false where spec.namespaces could not be read or holds what is no name.
	NamespacesKnown bool
	// SelectorKnown is false where spec.namespaceSelector could not be read.
	SelectorKnown bool
	// KindsKnown is false where spec.workloadKinds could not be read.
	KindsKnown bool
}

// Environments returns all that there are, readable or not, sorted by name. Its error means that they
// could not be listed.
func Environments(ctx context.Context, reader client.Reader) ([]Environment, error) {
	items := list(v1alpha1.KindEnvironment)
	if err := reader.List(ctx, items); err != nil {
		return nil, fmt.Errorf("listing Environments: %w", err)
	}
	environments := make([]Environment, len(items.Items))
	for i := range items.Items {
		environments[i] = newEnvironment(&items.Items[i])
	}
	slices.SortFunc(environments, func(a, b Environment) int { return strings.Compare(a.Name, b.Name) })
	return environments, nil
}

func newEnvironment(object *unstructured.Unstructured) Environment {
	var environment Environment
	if environment.Err = decode(object, &environment.Environment); environment.Err == nil {
		environment.NamespacesKnown, environment.SelectorKnown, environment.KindsKnown = true, true, true
		return environment
	}
	// What a failed decoding left behind is dropped.
	environment.Environment = v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{
		Name:              object.GetName(),
		UID:               object.GetUID(),
		Generation:        object.GetGeneration(),
		ResourceVersion:   object.GetResourceVersion(),
		CreationTimestamp: object.GetCreationTimestamp(),
	}}
	spec := &environment.Spec
	_, named, err := unstructured.NestedFieldNoCopy(object.Object, "spec", "namespaces")
	if named || err != nil {
		spec.Namespaces, environment.NamespacesKnown = stringsAt(object, "spec", "namespaces")
	} else {
		environment.NamespacesKnown = true
	}
	var part struct {
		NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`
	}
	if environment.SelectorKnown = decodePart(object, "namespaceSelector", &part); environment.SelectorKnown {
		spec.NamespaceSelector = part.NamespaceSelector
	}
	var kinds struct {
		WorkloadKinds []v1alpha1.WorkloadKind `json:"workloadKinds,omitempty"`
	}
	if environment.KindsKnown = decodePart(object, "workloadKinds", &kinds); environment.KindsKnown {
		spec.WorkloadKinds = kinds.WorkloadKinds
	}
	status, _, err := unstructured.NestedMap(object.Object, "status")
	if err == nil && runtime.DefaultUnstructuredConverter.FromUnstructured(status, &environment.Status) != nil {
		environment.Status = v1alpha1.EnvironmentStatus{}
	}
	return environment
}

// decodePart fills a structure with one field of spec and tells whether that is all of the field.
func decodePart(object *unstructured.Unstructured, field string, into any) bool {
	spec, _, err := unstructured.NestedFieldNoCopy(object.Object, "spec")
	if err != nil {
		return false
	}
	fields, ok := spec.(map[string]any)
	if !ok {
		return false
	}
	value, found := fields[field]
	if !found {
		return true
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(map[string]any{field: value}, into) == nil
}
