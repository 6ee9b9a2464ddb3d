package cluster

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// conflict turns the answer to a JSON patch whose test failed into the conflict that it is. The API
// server answers such a patch as it answers an invalid one, with 422 and without the cause
// (k8s.io/apiserver/pkg/endpoints/handlers/patch.go, applyJSPatch), so that the object itself has to
// tell whether it was changed.
func conflict(ctx context.Context, err error, client dynamic.ResourceInterface, resource schema.GroupResource, read metav1.Object) error {
	if !apierrors.IsInvalid(err) {
		return err
	}
	now, getErr := client.Get(ctx, read.GetName(), metav1.GetOptions{})
	if getErr != nil {
		if apierrors.IsNotFound(getErr) {
			return getErr
		}
		return err
	}
	if now.GetUID() != read.GetUID() || now.GetResourceVersion() != read.GetResourceVersion() {
		return apierrors.NewConflict(resource, read.GetName(), err)
	}
	return err
}
