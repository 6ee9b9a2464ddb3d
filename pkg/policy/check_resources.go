package policy

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// resourcesCheck requires quantities of every container, init containers and sidecars included.
// Ephemeral containers cannot have any.
func resourcesCheck() Check {
	return Check{
		ID:          RuleResources,
		Asked:       func(rules v1alpha1.Rules) bool { return rules.Resources != nil },
		Enforcement: func(rules v1alpha1.Rules) v1alpha1.Enforcement { return rules.Resources.Enforcement },
		Compile: judged(func(in Input) []Violation {
			var violations []Violation
			for _, c := range in.Subject.containers(false) {
				for _, field := range slices.Sorted(slices.Values(in.Rules.Resources.Require)) {
					if declares(c.container.Resources, field) {
						continue
					}
					violations = append(violations, Violation{
						Rule:    RuleResources,
						Field:   in.Subject.Field(fmt.Sprintf("spec.%s[%d].resources.%s", c.list, c.index, field)),
						Message: fmt.Sprintf("%s must set resources.%s", c.owner, field),
					})
				}
			}
			return violations
		}),
	}
}

// declares tells whether a container bounds a resource. The API server copies a limit to an absent
// request, so a limit counts for both. Zero bounds nothing: as a limit it means none.
func declares(resources corev1.ResourceRequirements, field v1alpha1.ResourceField) bool {
	list, resource, _ := strings.Cut(string(field), ".")
	if positive(resources.Limits, resource) {
		request, written := resources.Requests[corev1.ResourceName(resource)]
		return list == "limits" || !written || request.Sign() > 0
	}
	return list == "requests" && positive(resources.Requests, resource)
}

func positive(list corev1.ResourceList, resource string) bool {
	quantity, found := list[corev1.ResourceName(resource)]
	return found && quantity.Sign() > 0
}
