package stored

import (
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// ImagePolicies returns those that name the environment. One that cannot be read is an error for the
// environments that it names, and for all where that cannot be read either: without it an image could
// seem to need less proof.
func ImagePolicies(ctx context.Context, reader client.Reader, environment string) ([]v1alpha1.ImagePolicy, error) {
	items := list(v1alpha1.KindImagePolicy)
	if err := reader.List(ctx, items); err != nil {
		return nil, fmt.Errorf("listing ImagePolicies: %w", err)
	}
	var naming []v1alpha1.ImagePolicy
	for i := range items.Items {
		names, known := stringsAt(&items.Items[i], "spec", "environments")
		if known && !slices.Contains(names, environment) {
			continue
		}
		var policy v1alpha1.ImagePolicy
		if err := decode(&items.Items[i], &policy); err != nil {
			return nil, err
		}
		if slices.Contains(policy.Spec.Environments, environment) {
			naming = append(naming, policy)
		}
	}
	return naming, nil
}
