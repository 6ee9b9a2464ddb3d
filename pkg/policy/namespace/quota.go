package namespace

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// judgeQuotas wants each resource bounded by some quota of the whole namespace. All quotas of a namespace
// count at once, so the smallest decides.
func judgeQuotas(wanted corev1.ResourceList, quotas []corev1.ResourceQuota) []policy.Violation {
	var violations []policy.Violation
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		bound := wanted[name]
		smallest, holder := smallestQuota(name, quotas)
		switch {
		case smallest == nil:
			violations = append(violations, policy.Violation{Message: fmt.Sprintf(
				"no ResourceQuota bounds %s of the whole namespace, it must be at most %s", name, bound.String())})
		case smallest.Cmp(bound) > 0:
			violations = append(violations, policy.Violation{Message: fmt.Sprintf(
				"ResourceQuota %q bounds %s by %s, it must be at most %s", holder, name, smallest.String(), bound.String())})
		}
	}
	return violations
}

// smallestQuota returns the smallest bound of a resource and the quota that has it. Quotas with scopes bound
// some pods only and do not count.
func smallestQuota(name corev1.ResourceName, quotas []corev1.ResourceQuota) (smallest *resource.Quantity, holder string) {
	for i := range quotas {
		quota := &quotas[i]
		if len(quota.Spec.Scopes) > 0 || quota.Spec.ScopeSelector != nil {
			continue
		}
		for _, same := range spellings(name) {
			if hard, ok := quota.Spec.Hard[same]; ok && (smallest == nil || hard.Cmp(*smallest) < 0) {
				smallest, holder = &hard, quota.Name
			}
		}
	}
	return smallest, holder
}

// spellings returns the names under which a quota bounds the same resource or more of it: cpu is
// requests.cpu, and count/pods counts finished pods beside those that pods counts.
// See https://kubernetes.io/docs/concepts/policy/resource-quotas/.
func spellings(name corev1.ResourceName) []corev1.ResourceName {
	switch name {
	case corev1.ResourceCPU, corev1.ResourceRequestsCPU:
		return []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceRequestsCPU}
	case corev1.ResourceMemory, corev1.ResourceRequestsMemory:
		return []corev1.ResourceName{corev1.ResourceMemory, corev1.ResourceRequestsMemory}
	case corev1.ResourceEphemeralStorage, corev1.ResourceRequestsEphemeralStorage:
		return []corev1.ResourceName{corev1.ResourceEphemeralStorage, corev1.ResourceRequestsEphemeralStorage}
	case corev1.ResourcePods, corev1.ResourceServices, corev1.ResourceConfigMaps, corev1.ResourceSecrets,
		corev1.ResourcePersistentVolumeClaims, corev1.ResourceReplicationControllers:
		return []corev1.ResourceName{name, "count/" + name}
	case "count/services", "count/configmaps", "count/secrets", "count/persistentvolumeclaims", "count/replicationcontrollers":
		return []corev1.ResourceName{name, name[len("count/"):]}
	}
	return []corev1.ResourceName{name}
}
