package namespace

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// bound is one of the four lists of a LimitRange.
type bound struct {
	list   string
	wanted corev1.ResourceList
	of     func(corev1.LimitRangeItem) corev1.ResourceList
	// upper: larger is weaker.
	upper bool
	// all: every LimitRange that names the resource must keep it, since which one fills in a default is not
	// defined. Minima and maxima of all LimitRanges count at once, so one is enough.
	all bool
}

// judgeLimitRanges compares with the items for containers of all LimitRanges. A default limit may be
// smaller and a default request larger than asked: both bind a container more.
func judgeLimitRanges(wanted *v1alpha1.LimitRangeSettings, ranges []corev1.LimitRange) []policy.Violation {
	bounds := []bound{
		{"default", wanted.Default, func(i corev1.LimitRangeItem) corev1.ResourceList { return i.Default }, true, true},
		{"defaultRequest", wanted.DefaultRequest, func(i corev1.LimitRangeItem) corev1.ResourceList { return i.DefaultRequest }, false, true},
		{"max", wanted.Max, func(i corev1.LimitRangeItem) corev1.ResourceList { return i.Max }, true, false},
		{"min", wanted.Min, func(i corev1.LimitRangeItem) corev1.ResourceList { return i.Min }, false, false},
	}
	var violations []policy.Violation
	for _, b := range bounds {
		for _, name := range slices.Sorted(maps.Keys(b.wanted)) {
			if message := b.judge(name, b.wanted[name], ranges); message != "" {
				violations = append(violations, policy.Violation{Message: message})
			}
		}
	}
	return violations
}

// judge says what is wrong about one resource of one list, "" if nothing is.
func (b bound) judge(name corev1.ResourceName, wanted resource.Quantity, ranges []corev1.LimitRange) string {
	found, weakest := false, ""
	for i := range ranges {
		for _, item := range ranges[i].Spec.Limits {
			live, ok := b.of(item)[name]
			if item.Type != corev1.LimitTypeContainer || !ok {
				continue
			}
			if !b.weaker(live, wanted) {
				found = true
			} else if weakest == "" {
				weakest = fmt.Sprintf("LimitRange %q has %s.%s %s for containers, it must be %s %s",
					ranges[i].Name, b.list, name, live.String(), b.direction(), wanted.String())
			}
		}
	}
	if weakest != "" && (b.all || !found) {
		return weakest
	}
	if !found {
		return fmt.Sprintf("no LimitRange has %s.%s for containers, it must be %s %s", b.list, name, b.direction(), wanted.String())
	}
	return ""
}

func (b bound) weaker(live, wanted resource.Quantity) bool {
	if b.upper {
		return live.Cmp(wanted) > 0
	}
	return live.Cmp(wanted) < 0
}

func (b bound) direction() string {
	if b.upper {
		return "at most"
	}
	return "at least"
}
