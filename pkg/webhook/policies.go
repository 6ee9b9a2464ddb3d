package webhook

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/stored"
)

// policies implements admission.Policies from informers. What they do not have is looked up live before
// it counts as absent. Objects are read untyped, so that one that cannot be read takes no other with it.
type policies struct {
	cached, live client.Reader
}

// Environment implements admission.Policies.
func (p policies) Environment(ctx context.Context, name string) (*v1alpha1.Environment, error) {
	environment, err := stored.GetEnvironment(ctx, p.cached, name)
	if apierrors.IsNotFound(err) {
		environment, err = stored.GetEnvironment(ctx, p.live, name)
	}
	return environment, err
}

// ImagePolicies implements admission.Policies.
func (p policies) ImagePolicies(ctx context.Context, environment string) ([]v1alpha1.ImagePolicy, error) {
	for _, reader := range []client.Reader{p.cached, p.live} {
		naming, err := stored.ImagePolicies(ctx, reader, environment)
		if err != nil || len(naming) > 0 {
			return naming, err
		}
	}
	return nil, nil
}

// known tells whether the informers have an Environment of this name.
func (p policies) known(ctx context.Context, name string) bool {
	return p.cached.Get(ctx, client.ObjectKey{Name: name}, stored.Object(v1alpha1.KindEnvironment)) == nil
}
