package install

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// applyAll applies the objects in their order; kinds are served before anything else is applied.
func (o *Options) applyAll(ctx context.Context, objects []*unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	var applied []*unstructured.Unstructured
	var crds []*unstructured.Unstructured
	for _, object := range objects {
		if object.GetKind() == "CustomResourceDefinition" {
			crds = append(crds, object)
		} else if len(crds) > 0 && o.DryRun != dryRunServer {
			if err := o.waitEstablished(ctx, crds); err != nil {
				return nil, err
			}
			crds = nil
		}
		result, err := o.apply(ctx, object)
		if err != nil {
			return nil, err
		}
		applied = append(applied, result)
	}
	return applied, nil
}

// apply applies one object server-side and says what that did.
func (o *Options) apply(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	client := ClientOf(o.client, object)
	before, err := client.Get(ctx, object.GetName(), metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("reading %s: %w", TypeName(object), err)
	}
	existed := err == nil
	options := metav1.ApplyOptions{FieldManager: v1alpha1.FieldManager, Force: true}
	suffix := ""
	if o.DryRun == dryRunServer {
		options.DryRun = []string{metav1.DryRunAll}
		suffix = " (server dry run)"
	}
	after, err := client.Apply(ctx, object.GetName(), object, options)
	if o.DryRun == dryRunServer && !existed && namespaceMissing(object, err) {
		// Its namespace would be created by the line before; the API server cannot check further.
		o.say(object, "created (not checked: namespace "+namespace+" does not exist yet)")
		return object, nil
	}
	if err != nil {
		return nil, fmt.Errorf("applying %s: %w", TypeName(object), err)
	}
	switch {
	case !existed:
		o.say(object, "created"+suffix)
	case before.GetResourceVersion() == after.GetResourceVersion():
		o.say(object, "unchanged"+suffix)
	default:
		o.say(object, "configured"+suffix)
	}
	return after, nil
}

func namespaceMissing(object *unstructured.Unstructured, err error) bool {
	return apierrors.IsNotFound(err) && object.GetNamespace() != ""
}

// ClientOf returns the client for an object's resource and namespace.
func ClientOf(client dynamic.Interface, object *unstructured.Unstructured) dynamic.ResourceInterface {
	resource := client.Resource(ResourceOf(object))
	if ns := object.GetNamespace(); ns != "" {
		return resource.Namespace(ns)
	}
	return resource
}
