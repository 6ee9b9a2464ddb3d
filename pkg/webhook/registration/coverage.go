package registration

import (
	"fmt"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/stored"
)

// coverage is an Environment with the namespaces that its entry selects.
type coverage struct {
	environment *stored.Environment
	namespaces  []string
	// conflicts says of each namespace that an older Environment owns who that is.
	conflicts []string
}

// cover gives every namespace to one Environment: the oldest that names it, by name among equals. What
// one loses another one's entry selects, in the same write, so that no namespace is ever left out.
func cover(environments []stored.Environment, entries map[string][]string) []coverage {
	all := make([]coverage, len(environments))
	wanted := make([][]string, len(environments))
	owner := map[string]int{}
	for i := range environments {
		all[i].environment = &environments[i]
		wanted[i] = wantedNamespaces(&environments[i], entries)
		for _, namespace := range wanted[i] {
			if other, taken := owner[namespace]; !taken || environments[i].OlderThan(&environments[other].Environment) {
				owner[namespace] = i
			}
		}
	}
	for i := range all {
		for _, namespace := range wanted[i] {
			if other := owner[namespace]; other == i {
				all[i].namespaces = append(all[i].namespaces, namespace)
			} else {
				all[i].conflicts = append(all[i].conflicts, conflict(namespace, environments[i].Name, environments[other].Name))
			}
		}
	}
	return all
}

func conflict(namespace, younger, owner string) string {
	return fmt.Sprintf("namespace %q is named by Environment %q and by the older Environment %q, whose rules alone count there: "+
		"take it out of spec.namespaces of one of them", namespace, younger, owner)
}

// wantedNamespaces are those that the Environment names; where that cannot be read also those that its
// entry selects already. System namespaces are left out even where the CRD's own validation was circumvented.
func wantedNamespaces(environment *stored.Environment, entries map[string][]string) []string {
	names := slices.Clone(environment.Spec.Namespaces)
	if !environment.NamespacesKnown {
		names = append(names, entries[entryName(environment.Name)]...)
	}
	names = slices.DeleteFunc(names, func(namespace string) bool {
		return slices.Contains([]string{
			metav1.NamespaceSystem, metav1.NamespacePublic, "kube-node-lease", v1alpha1.SystemNamespace,
		}, namespace)
	})
	slices.SortFunc(names, strings.Compare)
	return slices.Compact(names)
}

// selectedBy returns the namespaces that an entry of ours selects.
func selectedBy(selector *metav1.LabelSelector) []string {
	var names []string
	if selector == nil {
		return nil
	}
	for _, requirement := range selector.MatchExpressions {
		if requirement.Key == namespaceLabel && requirement.Operator == metav1.LabelSelectorOpIn {
			names = append(names, requirement.Values...)
		}
	}
	return names
}

// selections returns, by the name of the entry, the namespaces that either configuration selects.
func selections(mutating *admissionregistrationv1.MutatingWebhookConfiguration, validating *admissionregistrationv1.ValidatingWebhookConfiguration) map[string][]string {
	names := map[string][]string{}
	for i := range mutating.Webhooks {
		entry := &mutating.Webhooks[i]
		names[entry.Name] = append(names[entry.Name], selectedBy(entry.NamespaceSelector)...)
	}
	for i := range validating.Webhooks {
		entry := &validating.Webhooks[i]
		names[entry.Name] = append(names[entry.Name], selectedBy(entry.NamespaceSelector)...)
	}
	return names
}
