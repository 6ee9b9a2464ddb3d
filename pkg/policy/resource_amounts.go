package policy

import (
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// largestExponent is the power of ten above which a quantity counts as the largest one. To compare it exactly
// costs time and memory in proportion to the exponent, and anyone may write 1e999; rawjson.CheckExponents refuses what is beyond.
const largestExponent = 24

// bound is a bound of one resource.
type bound struct {
	resource corev1.ResourceName
	quantity resource.Quantity
}

func sortedBounds(list map[corev1.ResourceName]resource.Quantity) []bound {
	var bounds []bound
	for _, name := range slices.Sorted(maps.Keys(list)) {
		bounds = append(bounds, bound{resource: name, quantity: sane(list[name])})
	}
	return bounds
}

// tooSmall says in which way a request is below the bound; empty if it is not.
func (b *bound) tooSmall(request resource.Quantity) string {
	switch {
	case request.Cmp(b.quantity) >= 0:
		return ""
	case request.IsZero():
		return fmt.Sprintf("requests no %s, at least %s is required", b.resource, b.quantity.String())
	}
	return fmt.Sprintf("requests %s of %s, at least %s is required", request.String(), b.resource, b.quantity.String())
}

// tooLargeRequest says in which way a request is above the bound; empty if it is not.
func (b *bound) tooLargeRequest(request resource.Quantity) string {
	if request.Cmp(b.quantity) <= 0 {
		return ""
	}
	return fmt.Sprintf("requests %s of %s, at most %s is allowed", request.String(), b.resource, b.quantity.String())
}

// tooLargeLimit says in which way a limit is above the bound; empty if it is not.
func (b *bound) tooLargeLimit(limit resource.Quantity) string {
	if limit.Cmp(b.quantity) <= 0 {
		return ""
	}
	return fmt.Sprintf("limits %s to %s, at most %s is allowed", b.resource, limit.String(), b.quantity.String())
}

// tooFarApart says in which way limit / request is above the bound; empty if it is not.
func (b *bound) tooFarApart(resources corev1.ResourceRequirements) string {
	limit, request := amount(resources.Limits, b.resource), effectiveRequest(resources, b.resource)
	switch {
	case limit.IsZero():
		return fmt.Sprintf("must limit %s, to at most %s times its request", b.resource, b.times())
	case request.IsZero():
		return fmt.Sprintf("limits %s to %s and requests none, at most %s times the request is allowed", b.resource, limit.String(), b.times())
	}
	if rational(limit).Cmp(new(big.Rat).Mul(rational(b.quantity), rational(request))) <= 0 {
		return ""
	}
	return fmt.Sprintf("limits %s to %s and requests %s, at most %s times the request is allowed", b.resource, limit.String(), request.String(), b.times())
}

// times is the bound as a plain number: "2.5" and not "2500m".
func (b *bound) times() string {
	return strconv.FormatFloat(b.quantity.AsApproximateFloat64(), 'g', -1, 64)
}

// amount is a quantity of a list as it counts: what is absent or negative is zero.
func amount(list corev1.ResourceList, name corev1.ResourceName) resource.Quantity {
	quantity, found := list[name]
	if !found || quantity.Sign() <= 0 {
		return resource.Quantity{}
	}
	return sane(quantity)
}

// effectiveRequest is a container's request, of which its limit is the default.
func effectiveRequest(resources corev1.ResourceRequirements, name corev1.ResourceName) resource.Quantity {
	if _, written := resources.Requests[name]; written {
		return amount(resources.Requests, name)
	}
	return amount(resources.Limits, name)
}

// sane returns a quantity that can be computed with in little time.
func sane(quantity resource.Quantity) resource.Quantity {
	if _, small := quantity.AsInt64(); small {
		return quantity
	}
	// AsDec changes what it is called on, and computes nothing.
	own := quantity.DeepCopy()
	if -int64(own.AsDec().Scale()) > largestExponent {
		return *resource.NewQuantity(math.MaxInt64, quantity.Format)
	}
	return quantity
}

// rational is the exact value of a sane quantity.
func rational(quantity resource.Quantity) *big.Rat {
	own := quantity.DeepCopy()
	decimal := own.AsDec()
	scale := int64(decimal.Scale())
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(max(scale, -scale)), nil)
	if scale < 0 {
		return new(big.Rat).SetInt(power.Mul(power, decimal.UnscaledBig()))
	}
	return new(big.Rat).SetFrac(decimal.UnscaledBig(), power)
}

// podRequest is what a pod requests of one resource as a whole, as the scheduler sees it: spec.resources where it
// is set (KEP-2837), else what its containers need together, and its overhead.
func podRequest(spec *corev1.PodSpec, name corev1.ResourceName) resource.Quantity {
	total := together(spec, func(resources corev1.ResourceRequirements) resource.Quantity {
		return effectiveRequest(resources, name)
	})
	if spec.Resources != nil {
		// The pod's limit is its request only where no container requests anything either.
		if _, written := spec.Resources.Requests[name]; written || total.IsZero() {
			total = effectiveRequest(*spec.Resources, name)
		}
	}
	return plus(total, amount(spec.Overhead, name))
}

// podLimit is what a pod may use of one resource as a whole, as far as it is limited.
func podLimit(spec *corev1.PodSpec, name corev1.ResourceName) resource.Quantity {
	total := together(spec, func(resources corev1.ResourceRequirements) resource.Quantity { return amount(resources.Limits, name) })
	if spec.Resources != nil {
		if limit := amount(spec.Resources.Limits, name); !limit.IsZero() {
			total = limit
		}
	}
	if total.IsZero() {
		return total
	}
	return plus(total, amount(spec.Overhead, name))
}

// together adds up containers as the scheduler does: init containers run one after another before the ordinary ones, beside the native
// sidecars (KEP-753) that stand before them.
func together(spec *corev1.PodSpec, of func(corev1.ResourceRequirements) resource.Quantity) resource.Quantity {
	var running, sidecars, starting resource.Quantity
	for i := range spec.Containers {
		running = plus(running, of(spec.Containers[i].Resources))
	}
	for i := range spec.InitContainers {
		container := &spec.InitContainers[i]
		need := plus(sidecars, of(container.Resources))
		if container.RestartPolicy != nil && *container.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			running = plus(running, of(container.Resources))
			sidecars = need
		}
		if need.Cmp(starting) > 0 {
			starting = need
		}
	}
	if starting.Cmp(running) > 0 {
		return starting
	}
	return running
}

// plus adds without changing either.
func plus(a, b resource.Quantity) resource.Quantity {
	if a.IsZero() {
		return b
	}
	sum := a.DeepCopy()
	sum.Add(b)
	return sum
}
