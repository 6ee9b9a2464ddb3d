package policy

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// resourcesCheck requires and bounds quantities of every container, init containers and sidecars included, and of
// pods as a whole. Ephemeral containers cannot have any.
func resourcesCheck() Check {
	return Check{
		ID:          RuleResources,
		Asked:       func(rules v1alpha1.Rules) bool { return rules.Resources != nil },
		Enforcement: func(rules v1alpha1.Rules) v1alpha1.Enforcement { return rules.Resources.Enforcement },
		Doc:         resourcesDoc(),
		Compile: func(rules v1alpha1.Rules) (Judge, error) {
			bounds := newResourceBounds(*rules.Resources)
			return func(in Input) []Violation {
				var found []Violation
				for _, c := range in.Subject.containers(false) {
					found = append(found, bounds.judgeContainer(in.Subject, c)...)
				}
				return append(found, bounds.judgePod(in.Subject)...)
			}, nil
		},
	}
}

// resourceBounds are the rules about resources, made ready: each list sorted, quantities of sane size.
type resourceBounds struct {
	require        []v1alpha1.ResourceField
	min, max       []bound
	ratio          []bound
	podMin, podMax []bound
}

func newResourceBounds(rules v1alpha1.ResourceRules) resourceBounds {
	bounds := resourceBounds{
		require: slices.Sorted(slices.Values(rules.Require)),
		min:     sortedBounds(rules.Min),
		max:     sortedBounds(rules.Max),
		ratio:   sortedBounds(rules.MaxLimitRequestRatio),
	}
	if rules.Pod != nil {
		bounds.podMin, bounds.podMax = sortedBounds(rules.Pod.Min), sortedBounds(rules.Pod.Max)
	}
	return bounds
}

func (b *resourceBounds) judgeContainer(subject *Subject, c containerSlot) []Violation {
	var violations []Violation
	refuse := func(list string, resource corev1.ResourceName, message string) {
		violations = append(violations, Violation{
			Rule:    RuleResources,
			Field:   subject.Field(fmt.Sprintf("spec.%s[%d].resources.%s%s", c.list, c.index, list, resourceKey(resource))),
			Message: c.owner + " " + message,
		})
	}
	missing := map[v1alpha1.ResourceField]bool{}
	for _, field := range b.require {
		if declares(c.container.Resources, field) {
			continue
		}
		list, resource, _ := strings.Cut(string(field), ".")
		missing[field] = true
		refuse(list, corev1.ResourceName(resource), fmt.Sprintf("must set resources.%s", field))
	}
	has := func(list string, resource corev1.ResourceName) bool {
		return !missing[v1alpha1.ResourceField(list+"."+string(resource))]
	}
	for _, least := range b.min {
		if message := least.tooSmall(effectiveRequest(c.container.Resources, least.resource)); message != "" && has("requests", least.resource) {
			refuse("requests", least.resource, message)
		}
	}
	for _, most := range b.max {
		if message := most.tooLargeRequest(amount(c.container.Resources.Requests, most.resource)); message != "" && !copied(c.container.Resources, most.resource) {
			refuse("requests", most.resource, message)
		}
		if message := most.tooLargeLimit(amount(c.container.Resources.Limits, most.resource)); message != "" {
			refuse("limits", most.resource, message)
		}
	}
	for _, ratio := range b.ratio {
		if message := ratio.tooFarApart(c.container.Resources); message != "" && has("limits", ratio.resource) && has("requests", ratio.resource) {
			refuse("limits", ratio.resource, message)
		}
	}
	return violations
}

func (b *resourceBounds) judgePod(subject *Subject) []Violation {
	var violations []Violation
	refuse := func(list string, resource corev1.ResourceName, message string) {
		field := "spec.containers"
		if subject.Spec.Resources != nil {
			field = "spec.resources." + list + resourceKey(resource)
		}
		violations = append(violations, Violation{Rule: RuleResources, Field: subject.Field(field), Message: "the pod as a whole " + message})
	}
	for _, least := range b.podMin {
		if message := least.tooSmall(podRequest(&subject.Spec, least.resource)); message != "" {
			refuse("requests", least.resource, message)
		}
	}
	for _, most := range b.podMax {
		if message := most.tooLargeRequest(podRequest(&subject.Spec, most.resource)); message != "" {
			refuse("requests", most.resource, message)
		}
		if message := most.tooLargeLimit(podLimit(&subject.Spec, most.resource)); message != "" {
			refuse("limits", most.resource, message)
		}
	}
	return violations
}

// resourceKey is the last part of a field path; names with a domain stand in brackets.
func resourceKey(resource corev1.ResourceName) string {
	if strings.ContainsAny(string(resource), "./") {
		return "[" + string(resource) + "]"
	}
	return "." + string(resource)
}

// copied tells whether a request equals the limit. In Pods the API server makes a limit the absent request before
// anybody judges it, in files and templates nobody did: one that is too large is told of the limit alone.
func copied(resources corev1.ResourceRequirements, resource corev1.ResourceName) bool {
	// As they count, not as they are written: to compare huge powers of ten exactly costs time and memory.
	request := amount(resources.Requests, resource)
	return request.Cmp(amount(resources.Limits, resource)) == 0
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

func resourcesDoc() Doc {
	return Doc{
		Setting: "resources",
		Summary: "Containers declare what they need, within bounds; so do pods as a whole.",
		Allows: `Containers that set what ` + "`require`" + ` lists, request at least ` + "`min`" + `, request and limit at most ` + "`max`" + `, and whose limit is at most ` + "`maxLimitRequestRatio`" + ` times the request.
Pods whose totals lie between ` + "`pod.min`" + ` and ` + "`pod.max`" + `. Any resource can be bounded: cpu, memory, ephemeral-storage, nvidia.com/gpu.`,
		Denies: `Everything else. Quantities count as they take effect: a limit without a request is the request too; zero is none, and so is a negative quantity.
A container without a limit has no ratio that could be bounded, so where the ratio of a resource is bounded its limit must be set. A container without a limit does not break ` + "`max`" + `: list the limit in ` + "`require`" + ` too.`,
		Fix: "Set `resources` of the container that the field path names; init containers and sidecars need them too, ephemeral containers have none. `kubectl top pod --containers` tells what a container uses.",
		Notes: `A pod's totals are those that the scheduler adds up: ordinary containers and native sidecars together, or the largest init container with the sidecars that were started before it, where that is more; and the pod's overhead.
What a pod sets in ` + "`spec.resources`" + ` (KEP-2837) is its total. A limit of a container that is not set adds nothing to the total. ` + "`resources.defaults`" + ` fills in what containers leave unset before they are judged.
When a Pod is resized its new resources are judged.`,
		Example: `resources:
  require: [requests.cpu, requests.memory, limits.memory]
  min: {cpu: 10m, memory: 16Mi}
  max: {cpu: "4", memory: 8Gi, ephemeral-storage: 10Gi}
  maxLimitRequestRatio: {memory: "2"}
  pod:
    max: {cpu: "8", memory: 16Gi}
`,
	}
}
