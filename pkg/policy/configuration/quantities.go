package configuration

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// resources must leave room for some container.
func (p *problems) resources(rules *v1alpha1.ResourceRules) {
	if rules == nil {
		return
	}
	const field = "spec.rules.resources"
	p.positive(field+".max", rules.Max)
	p.notAbove(field+".min", rules.Min, "max", rules.Max)
	if pod := rules.Pod; pod != nil {
		p.positive(field+".pod.max", pod.Max)
		p.notAbove(field+".pod.min", pod.Min, "pod.max", pod.Max)
	}
	for _, name := range slices.Sorted(maps.Keys(rules.MaxLimitRequestRatio)) {
		ratio := rules.MaxLimitRequestRatio[name]
		if ratio.Cmp(resource.MustParse("1")) < 0 {
			p.add(at(field+".maxLimitRequestRatio", name), "%s is below 1: a limit is never below its request", ratio.String())
		}
	}
}

// limitRange must be one that the API server accepts.
func (p *problems) limitRange(settings *v1alpha1.LimitRangeSettings) {
	if settings == nil {
		return
	}
	const field = "spec.namespaceSettings.limitRange"
	p.positive(field+".max", settings.Max)
	p.notAbove(field+".default", settings.Default, "max", settings.Max)
	p.notAbove(field+".defaultRequest", settings.DefaultRequest, "default", settings.Default)
	p.notAbove(field+".defaultRequest", settings.DefaultRequest, "max", settings.Max)
	p.notAbove(field+".min", settings.Min, "default", settings.Default)
	p.notAbove(field+".min", settings.Min, "defaultRequest", settings.DefaultRequest)
	p.notAbove(field+".min", settings.Min, "max", settings.Max)
}

// Resources that a ResourceQuota knows without a domain (k8s.io/kubernetes/pkg/apis/core/helper).
func quotaResources() []string {
	return []string{
		"cpu", "memory", "ephemeral-storage", "storage", "pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps",
		"persistentvolumeclaims", "services.nodeports", "services.loadbalancers", "requests.cpu", "requests.memory", "requests.storage",
		"requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage",
	}
}

// quota must name resources that a ResourceQuota knows; what has a domain (count/…, requests.nvidia.com/gpu) is
// for the API server to judge.
func (p *problems) quota(settings *v1alpha1.QuotaSettings) {
	if settings == nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(settings.Hard)) {
		field := at("spec.namespaceSettings.resourceQuota.hard", name)
		quantity := settings.Hard[name]
		switch {
		case !strings.Contains(string(name), "/") && !slices.Contains(quotaResources(), string(name)):
			p.add(field, "a ResourceQuota knows no resource %q", name)
		case quantity.Sign() < 0:
			p.add(field, "%s is negative", quantity.String())
		}
	}
}

func (p *problems) positive(field string, list corev1.ResourceList) {
	for _, name := range slices.Sorted(maps.Keys(list)) {
		if quantity := list[name]; quantity.Sign() <= 0 {
			p.add(at(field, name), "%s lets nothing in: it must be above 0", quantity.String())
		}
	}
}

// notAbove says of each quantity that is above its bound that nothing could keep both.
func (p *problems) notAbove(field string, list corev1.ResourceList, bound string, bounds corev1.ResourceList) {
	for _, name := range slices.Sorted(maps.Keys(list)) {
		quantity := list[name]
		if limit, found := bounds[name]; found && quantity.Cmp(limit) > 0 {
			p.add(at(field, name), "%s is above %s, which is %s", quantity.String(), bound, limit.String())
		}
	}
}

func at(field string, name corev1.ResourceName) string { return fmt.Sprintf("%s[%s]", field, name) }
