package webhook

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// policies implements admission.Policies from informers. What they do not have is looked up live before
// it counts as absent.
type policies struct {
	cached, live client.Reader
}

// Environment implements admission.Policies.
func (p policies) Environment(ctx context.Context, name string) (*v1alpha1.Environment, error) {
	environment := &v1alpha1.Environment{}
	err := p.cached.Get(ctx, client.ObjectKey{Name: name}, environment)
	if apierrors.IsNotFound(err) {
		err = p.live.Get(ctx, client.ObjectKey{Name: name}, environment)
	}
	if err != nil {
		return nil, fmt.Errorf("reading Environment %q: %w", name, err)
	}
	return environment, nil
}

// ImagePolicies implements admission.Policies.
func (p policies) ImagePolicies(ctx context.Context, environment string) ([]v1alpha1.ImagePolicy, error) {
	for _, reader := range []client.Reader{p.cached, p.live} {
		var list v1alpha1.ImagePolicyList
		if err := reader.List(ctx, &list); err != nil {
			return nil, fmt.Errorf("listing ImagePolicies: %w", err)
		}
		if naming := namingEnvironment(list.Items, environment); len(naming) > 0 {
			return naming, nil
		}
	}
	return nil, nil
}

// known tells whether the informers have an Environment of this name.
func (p policies) known(ctx context.Context, name string) bool {
	return p.cached.Get(ctx, client.ObjectKey{Name: name}, &v1alpha1.Environment{}) == nil
}

func namingEnvironment(all []v1alpha1.ImagePolicy, environment string) []v1alpha1.ImagePolicy {
	return slices.DeleteFunc(all, func(policy v1alpha1.ImagePolicy) bool {
		return !slices.Contains(policy.Spec.Environments, environment)
	})
}
