package webhook

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// pageSize of live lists.
const pageSize = 500

// objects implements admission.Objects: live, and as untyped JSON, so that fields which this build does
// not know keep their part in a template's hash.
type objects struct {
	live client.Reader
}

// Get implements admission.Objects.
func (o objects) Get(ctx context.Context, kind schema.GroupVersionKind, namespace, name string) (*unstructured.Unstructured, error) {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	if err := o.live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object); err != nil {
		return nil, fmt.Errorf("reading %s %q: %w", kind.Kind, namespace+"/"+name, err)
	}
	return object, nil
}

// List implements admission.Objects.
func (o objects) List(ctx context.Context, kind schema.GroupVersionKind, namespace string) ([]unstructured.Unstructured, error) {
	var all []unstructured.Unstructured
	list := &unstructured.UnstructuredList{}
	for {
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		if err := o.live.List(ctx, list, client.InNamespace(namespace), client.Limit(pageSize), client.Continue(list.GetContinue())); err != nil {
			return nil, fmt.Errorf("listing %s objects in namespace %q: %w", kind.Kind, namespace, err)
		}
		all = append(all, list.Items...)
		if list.GetContinue() == "" {
			return all, nil
		}
	}
}
