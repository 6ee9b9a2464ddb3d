package webhook

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// access implements admission.Access by a SubjectAccessReview per question.
type access struct {
	writer client.Writer
}

// CanApprove implements admission.Access.
func (a access) CanApprove(ctx context.Context, user authenticationv1.UserInfo, environment string) (bool, error) {
	extra := make(map[string]authorizationv1.ExtraValue, len(user.Extra))
	for key, values := range user.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:   user.Username,
		UID:    user.UID,
		Groups: user.Groups,
		Extra:  extra,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Group:    v1alpha1.GroupName,
			Version:  v1alpha1.Version,
			Resource: "environments",
			Name:     environment,
			Verb:     v1alpha1.VerbApprove,
		},
	}}
	if err := a.writer.Create(ctx, review); err != nil {
		return false, fmt.Errorf("asking whether user %q may approve on Environment %q: %w", user.Username, environment, err)
	}
	// An authorizer that failed may still have allowed; a denial with an error is no answer.
	if !review.Status.Allowed && review.Status.EvaluationError != "" {
		return false, fmt.Errorf("asking whether user %q may approve on Environment %q: %s",
			user.Username, environment, review.Status.EvaluationError)
	}
	return review.Status.Allowed, nil
}
