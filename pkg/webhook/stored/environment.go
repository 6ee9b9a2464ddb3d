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
	// spec.namespaces, and the status where that could be read.
	v1alpha1.Environment
	// Err tells why the object cannot be read.
	Err error
	// NamespacesKnown is false where spec.namespaces could not be read or holds what is no name.
	NamespacesKnown bool
}

// GetEnvironment returns the Environment, an error for which apierrors.IsNotFound holds, or the error of
// an object that cannot be read.
func GetEnvironment(ctx context.Context, reader client.Reader, name string) (*v1alpha1.Environment, error) {
	object := Object(v1alpha1.KindEnvironment)
	if err := reader.Get(ctx, client.ObjectKey{Name: name}, object); err != nil {
		return nil, err
	}
	environment := &v1alpha1.Environment{}
	if err := decode(object, environment); err != nil {
		return nil, err
	}
	return environment, nil
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
		environment.NamespacesKnown = true
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
	environment.Spec.Namespaces, environment.NamespacesKnown = stringsAt(object, "spec", "namespaces")
	status, _, err := unstructured.NestedMap(object.Object, "status")
	if err == nil && runtime.DefaultUnstructuredConverter.FromUnstructured(status, &environment.Status) != nil {
		environment.Status = v1alpha1.EnvironmentStatus{}
	}
	return environment
}
