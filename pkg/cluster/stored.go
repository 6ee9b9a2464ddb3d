package cluster

import (
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// typed decodes an object as it stands in storage.
func typed[T any](u *unstructured.Unstructured) (*T, error) {
	raw, err := u.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("encoding %s %q: %w", u.GetKind(), u.GetName(), err)
	}
	object := new(T)
	if err := json.Unmarshal(raw, object); err != nil {
		return nil, fmt.Errorf("decoding %s %q: %w", u.GetKind(), u.GetName(), err)
	}
	return object, nil
}

// stored encodes an object for writing.
func stored(object any) (*unstructured.Unstructured, error) {
	raw, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("encoding %T: %w", object, err)
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(raw); err != nil {
		return nil, fmt.Errorf("encoding %T: %w", object, err)
	}
	return u, nil
}

// template reads a pod template below a path, with the fields that this program does not know; it is
// empty where there is none.
func template(u *unstructured.Unstructured, path ...string) (release.Template, error) {
	value, found, err := unstructured.NestedMap(u.Object, path...)
	if err != nil || !found {
		return release.Template{}, err
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return release.Template{}, fmt.Errorf("encoding the template of %s %q: %w", u.GetKind(), u.GetName(), err)
	}
	return release.ParseTemplate(raw)
}

// setTemplate writes a template as it stands in storage over the typed one.
func setTemplate(u *unstructured.Unstructured, t release.Template, path ...string) error {
	if len(t.Raw) == 0 {
		return nil
	}
	var value map[string]any
	// This decoder keeps whole numbers whole.
	if err := utiljson.Unmarshal(t.Raw, &value); err != nil {
		return fmt.Errorf("decoding the template of %s %q: %w", u.GetKind(), u.GetName(), err)
	}
	return unstructured.SetNestedField(u.Object, value, path...)
}

func deployment(u *unstructured.Unstructured) (*engine.Deployment, error) {
	object, err := typed[appsv1.Deployment](u)
	if err != nil {
		return nil, err
	}
	t, err := template(u, "spec", "template")
	return &engine.Deployment{Deployment: *object, Template: t}, err
}

func releaseOf(u *unstructured.Unstructured) (*engine.Release, error) {
	object, err := typed[v1alpha1.Release](u)
	if err != nil {
		return nil, err
	}
	r := &engine.Release{Release: *object}
	if r.From, err = template(u, "spec", "from"); err != nil {
		return nil, err
	}
	r.To, err = template(u, "spec", "to")
	return r, err
}
