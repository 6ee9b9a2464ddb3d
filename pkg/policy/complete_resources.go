package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// resourceDefaults are quantities for containers that leave them unset.
type resourceDefaults struct {
	requests, limits corev1.ResourceList
	// names of all resources that have a default, sorted.
	names []corev1.ResourceName
}

// defaultable are the resources that may have defaults. Of others, such as huge pages and devices, the API server
// demands that request and limit are equal.
func defaultable() []corev1.ResourceName {
	return []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceEphemeralStorage, corev1.ResourceMemory}
}

func newResourceDefaults(rules v1alpha1.ResourceRules) (*resourceDefaults, error) {
	d := &resourceDefaults{requests: rules.Defaults.Requests, limits: rules.Defaults.Limits}
	both := maps.Clone(d.requests)
	if both == nil {
		both = corev1.ResourceList{}
	}
	maps.Copy(both, d.limits)
	d.names = slices.Sorted(maps.Keys(both))
	var errs []error
	for _, name := range d.names {
		errs = append(errs, d.validate(name, rules))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if len(d.names) == 0 {
		return nil, nil
	}
	return d, nil
}

// validate checks the defaults of one resource against the API server's rules and the environment's own bounds.
func (d *resourceDefaults) validate(name corev1.ResourceName, rules v1alpha1.ResourceRules) error {
	if !slices.Contains(defaultable(), name) {
		return fmt.Errorf("rules.resources.defaults: %q cannot have a default, only %q can", name, defaultable())
	}
	request, limit := "rules.resources.defaults.requests."+string(name), "rules.resources.defaults.limits."+string(name)
	requested, hasRequest := d.requests[name]
	limited, hasLimit := d.limits[name]
	if !hasRequest {
		// The API server makes the limit the request.
		request, requested = limit, limited
	}
	var errs []error
	if requested.Sign() < 0 || limited.Sign() < 0 {
		errs = append(errs, fmt.Errorf("%s must not be negative", request))
	}
	if hasRequest && hasLimit && requested.Cmp(limited) > 0 {
		errs = append(errs, fmt.Errorf("%s (%s) is above %s (%s)", request, requested.String(), limit, limited.String()))
	}
	if lowest, found := rules.Min[name]; found && requested.Cmp(lowest) < 0 {
		errs = append(errs, fmt.Errorf("%s (%s) is below rules.resources.min.%s (%s)", request, requested.String(), name, lowest.String()))
	}
	if highest, found := rules.Max[name]; found {
		if requested.Cmp(highest) > 0 {
			errs = append(errs, fmt.Errorf("%s (%s) is above rules.resources.max.%s (%s)", request, requested.String(), name, highest.String()))
		}
		if hasRequest && hasLimit && limited.Cmp(highest) > 0 {
			errs = append(errs, fmt.Errorf("%s (%s) is above rules.resources.max.%s (%s)", limit, limited.String(), name, highest.String()))
		}
	}
	if ratio, found := rules.MaxLimitRequestRatio[name]; found && hasRequest && hasLimit && requested.Sign() > 0 &&
		limited.AsApproximateFloat64() > requested.AsApproximateFloat64()*ratio.AsApproximateFloat64() {
		errs = append(errs, fmt.Errorf("%s (%s) is more than %s times %s (%s), see rules.resources.maxLimitRequestRatio",
			limit, limited.String(), ratio.String(), request, requested.String()))
	}
	return errors.Join(errs...)
}

// missing asks for the quantities that containers and init containers leave unset. Ephemeral containers can have none.
func (d *resourceDefaults) missing(spec *corev1.PodSpec, g *growth) {
	for i := range spec.Containers {
		d.missingIn(spec.Containers[i].Resources, spec.Resources, g, "containers", i)
	}
	for i := range spec.InitContainers {
		d.missingIn(spec.InitContainers[i].Resources, spec.Resources, g, "initContainers", i)
	}
}

func (d *resourceDefaults) missingIn(set corev1.ResourceRequirements, pod *corev1.ResourceRequirements, g *growth, list string, index int) {
	for _, name := range d.names {
		if pod != nil && (has(pod.Requests, name) || has(pod.Limits, name)) {
			// What containers ask for must fit into what the pod as a whole asks for, which its author shared out.
			continue
		}
		request, requested := set.Requests[name]
		limited := has(set.Limits, name)
		// The API server makes a limit the request where that is absent.
		if byDefault, found := d.requests[name]; found && !requested && !limited {
			request, requested = byDefault, true
			g.want(byDefault.String(), "spec", list, strconv.Itoa(index), "resources", "requests", string(name))
		}
		if byDefault, found := d.limits[name]; found && !limited {
			// A request may be too large to be compared as it is written.
			if asked := sane(request); requested && asked.Cmp(byDefault) > 0 {
				byDefault = request
			}
			g.want(byDefault.String(), "spec", list, strconv.Itoa(index), "resources", "limits", string(name))
		}
	}
}

func has(list corev1.ResourceList, name corev1.ResourceName) bool {
	_, found := list[name]
	return found
}
