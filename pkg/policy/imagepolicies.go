package policy

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// PoliciesFor returns the ImagePolicies that an image must satisfy in an environment, sorted by name:
// all that cover it, so that adding a policy can only ask for more. A glob that cannot be read is an
// error: leaving its policy out would ask for less.
func PoliciesFor(policies []v1alpha1.ImagePolicy, environment string, ref image.Reference) ([]v1alpha1.ImagePolicy, error) {
	var selected []v1alpha1.ImagePolicy
	for i := range policies {
		if !slices.Contains(policies[i].Spec.Environments, environment) {
			continue
		}
		covers, err := covers(&policies[i], ref)
		if err != nil {
			return nil, err
		}
		if covers {
			selected = append(selected, policies[i])
		}
	}
	slices.SortFunc(selected, func(a, b v1alpha1.ImagePolicy) int { return cmp.Compare(a.Name, b.Name) })
	return selected, nil
}

func covers(policy *v1alpha1.ImagePolicy, ref image.Reference) (bool, error) {
	found := false
	for _, text := range policy.Spec.Images {
		glob, err := image.ParseGlob(text)
		if err != nil {
			return false, fmt.Errorf("reading ImagePolicy %q: %w", policy.Name, err)
		}
		found = found || glob.Match(ref)
	}
	return found, nil
}
