package cluster

import (
	"errors"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// conflict turns the answer to a JSON patch whose test failed into the conflict that it is. The API
// server says 422 with the text of its JSON patch library:
// https://github.com/evanphx/json-patch/blob/v4.13.0/patch.go (ErrTestFailed).
func conflict(err error, resource schema.GroupResource, name string) error {
	var status apierrors.APIStatus
	if apierrors.IsInvalid(err) && errors.As(err, &status) && strings.Contains(status.Status().Message, "testing value /metadata/") {
		return apierrors.NewConflict(resource, name, err)
	}
	return err
}
