package env

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// rulesInWords says what an environment asks of what runs in it, one line for each demand. A rule with a
// degree of its own says so.
func rulesInWords(rules v1alpha1.Rules) []string {
	var words []string
	add := func(own v1alpha1.RuleEnforcement, texts ...string) {
		for _, text := range texts {
			if own.Enforcement != "" {
				text += fmt.Sprintf(" (%s)", own.Enforcement)
			}
			words = append(words, text)
		}
	}
	if r := rules.Images; r != nil {
		add(r.RuleEnforcement, images(r)...)
	}
	if r := rules.Signatures; r != nil {
		add(r.RuleEnforcement, "images are signed, as the ImagePolicies of the environment ask")
	}
	if r := rules.PodSecurity; r != nil {
		add(r.RuleEnforcement, fmt.Sprintf("Pod Security Standards: level %s, version %s", r.Level, cmp.Or(r.Version, "latest")))
	}
	if r := rules.Resources; r != nil {
		add(r.RuleEnforcement, resources(r)...)
	}
	if r := rules.Probes; r != nil && len(r.Require) > 0 {
		add(r.RuleEnforcement, "containers have probes: "+join(r.Require))
	}
	if r := rules.Availability; r != nil {
		add(r.RuleEnforcement, availability(r)...)
	}
	if r := rules.ServiceAccount; r != nil {
		add(r.RuleEnforcement, token(r)...)
	}
	if r := rules.Metadata; r != nil {
		add(r.RuleEnforcement, append(metadata("label", r.Labels), metadata("annotation", r.Annotations)...)...)
	}
	if r := rules.Approval; r != nil {
		add(r.RuleEnforcement, approval(r))
	}
	if r := rules.Access; r != nil {
		add(r.RuleEnforcement, "only holders of the verb deploy on this environment change what runs")
	}
	for _, r := range rules.Custom {
		add(r.RuleEnforcement, fmt.Sprintf("custom/%s: %s", r.Name, r.Message))
	}
	return words
}

func images(r *v1alpha1.ImageRules) []string {
	var words []string
	if len(r.Registries) > 0 {
		words = append(words, "images come from "+strings.Join(r.Registries, ", "))
	}
	if len(r.DenyTags) > 0 {
		words = append(words, "images do not have the tag "+strings.Join(r.DenyTags, ", "))
	}
	switch r.Pin {
	case v1alpha1.PinNever:
	case v1alpha1.PinWorkloads:
		words = append(words, "images are pinned to digests, in workloads too")
	default:
		words = append(words, "images of Pods are pinned to digests")
	}
	if r.Volumes == v1alpha1.PermissionDeny {
		words = append(words, "images are not mounted as volumes")
	}
	return words
}

func resources(r *v1alpha1.ResourceRules) []string {
	var words []string
	add := func(prefix string, list corev1.ResourceList) {
		if len(list) > 0 {
			words = append(words, prefix+" "+quantities(list))
		}
	}
	if len(r.Require) > 0 {
		words = append(words, "containers set "+join(r.Require))
	}
	add("containers have at least", r.Min)
	add("containers have at most", r.Max)
	if r.Pod != nil {
		add("pods have at least", r.Pod.Min)
		add("pods have at most", r.Pod.Max)
	}
	add("limits are at most so many times the requests:", r.MaxLimitRequestRatio)
	if r.Defaults != nil {
		add("requests that are not set become", r.Defaults.Requests)
		add("limits that are not set become", r.Defaults.Limits)
	}
	return words
}

func quantities(list corev1.ResourceList) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(list)) {
		quantity := list[key]
		parts = append(parts, fmt.Sprintf("%s %s", key, quantity.String()))
	}
	return strings.Join(parts, ", ")
}

func join[T ~string](list []T) string {
	texts := make([]string, 0, len(list))
	for _, each := range list {
		texts = append(texts, string(each))
	}
	return strings.Join(texts, ", ")
}

func availability(r *v1alpha1.AvailabilityRules) []string {
	var words []string
	if r.MinReplicas > 0 {
		words = append(words, fmt.Sprintf("Deployments and StatefulSets have at least %d replicas", r.MinReplicas))
	}
	if r.PodDisruptionBudget == v1alpha1.NecessityRequired {
		words = append(words, "Deployments and StatefulSets have a PodDisruptionBudget that leaves room")
	}
	return words
}

func token(r *v1alpha1.ServiceAccountRules) []string {
	switch r.Token {
	case v1alpha1.TokenDeny:
		return []string{"pods get no token for the API server"}
	case v1alpha1.TokenDenyDefault:
		return []string{`pods of the service account "default" get no token for the API server`}
	}
	return nil
}

func metadata(what string, required []v1alpha1.RequiredMetadata) []string {
	var words []string
	for _, each := range required {
		text := fmt.Sprintf("pods carry the %s %s", what, each.Key)
		if each.Pattern != "" {
			text += " that matches " + each.Pattern
		}
		words = append(words, text)
	}
	return words
}

func approval(r *v1alpha1.ApprovalRules) string {
	text := fmt.Sprintf("new pod templates are approved by %d", max(1, r.MinApprovals))
	if r.SeparateRequester == nil || *r.SeparateRequester {
		text += " other than the requester"
	}
	if r.ValidFor != nil {
		text += ", for " + duration.HumanDuration(r.ValidFor.Duration)
	}
	if r.Rollback == v1alpha1.RollbackApprovalNone {
		text += "; going back needs no approval"
	}
	return text
}
