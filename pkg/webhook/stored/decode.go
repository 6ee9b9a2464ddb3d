package stored

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// Object returns an empty untyped object of a kind of Rune's, for reads and watches.
func Object(kind string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(v1alpha1.GroupVersion().WithKind(kind))
	return object
}

// list returns an empty untyped list of a kind of Rune's.
func list(kind string) *unstructured.UnstructuredList {
	items := &unstructured.UnstructuredList{}
	items.SetGroupVersionKind(v1alpha1.GroupVersion().WithKind(kind + "List"))
	return items
}

// decode fills a typed object. Its error names the object and what to do.
func decode(object *unstructured.Unstructured, into any) error {
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, into); err != nil {
		return fmt.Errorf("%s %q cannot be read, edit it with `kubectl edit %s %s`: %w",
			object.GetKind(), object.GetName(), resource(object.GetKind()), object.GetName(), err)
	}
	return nil
}

// resource returns what kubectl calls a kind.
func resource(kind string) string {
	if kind == v1alpha1.KindImagePolicy {
		return "imagepolicies." + v1alpha1.GroupName
	}
	return "environments." + v1alpha1.GroupName
}

// stringsAt returns the strings of a list and whether that is all that the list holds.
func stringsAt(object *unstructured.Unstructured, path ...string) (found []string, all bool) {
	value, exists, err := unstructured.NestedFieldNoCopy(object.Object, path...)
	if err != nil || !exists {
		return nil, false
	}
	items, ok := value.([]any)
	if !ok {
		return nil, false
	}
	all = true
	for _, item := range items {
		text, ok := item.(string)
		if ok {
			found = append(found, text)
		}
		all = all && ok
	}
	return found, all
}
