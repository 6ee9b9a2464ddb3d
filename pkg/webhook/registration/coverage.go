package registration

import (
	"fmt"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/stored"
)

// coverage is an Environment with what its entries select and ask about.
type coverage struct {
	environment *stored.Environment
	// namespaces that the Environment lists by name and that are its own.
	namespaces []string
	// conflicts says of each namespace that an older Environment owns who that is.
	conflicts []string
	// selector of further namespaces by their labels; nil where there is none.
	selector *metav1.LabelSelector
	// listed are the namespaces that a selector leaves alone: those of the system and all that any
	// Environment lists by name.
	listed []string
	asked  asked
	// selectorErr says why the Environment's selector is none.
	selectorErr error
	// invalid says why nobody can judge by the Environment's rules.
	invalid error
}

// placed is what an entry selects and asks about now.
type placed struct {
	namespaces []string
	selector   *metav1.LabelSelector
	asked      asked
}

// cover gives every namespace that is listed by name to one Environment: the oldest that names it, by name
// among equals. What one loses another one's entry selects, in the same write, so that no namespace is ever left out.
func cover(environments []stored.Environment, entries map[string]placed) []coverage {
	all := make([]coverage, len(environments))
	wanted := make([][]string, len(environments))
	owner := map[string]int{}
	listed := v1alpha1.SystemNamespaces()
	for i := range environments {
		e := &environments[i]
		all[i].environment = e
		all[i].selector, all[i].selectorErr = wantedSelector(e, entries)
		all[i].asked = wantedKinds(e, entries)
		wanted[i] = wantedNamespaces(e, entries)
		listed = append(listed, wanted[i]...)
		for _, namespace := range wanted[i] {
			if other, taken := owner[namespace]; !taken || e.OlderThan(&environments[other].Environment) {
				owner[namespace] = i
			}
		}
	}
	slices.Sort(listed)
	listed = slices.Compact(listed)
	for i := range all {
		all[i].listed = listed
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
// entry selects already. System namespaces, and what no namespace can be called, are left out even where
// the CRD's own validation was circumvented.
func wantedNamespaces(environment *stored.Environment, entries map[string]placed) []string {
	names := slices.Clone(environment.Spec.Namespaces)
	if !environment.NamespacesKnown {
		names = append(names, entries[entryName(environment.Name)].namespaces...)
	}
	system := v1alpha1.SystemNamespaces()
	names = slices.DeleteFunc(names, func(namespace string) bool {
		return slices.Contains(system, namespace) || len(validation.IsDNS1123Label(namespace)) > 0
	})
	slices.SortFunc(names, strings.Compare)
	return slices.Compact(names)
}

// placedEntries returns, by the name of the entry, what either configuration selects and asks about.
func placedEntries(mutating *admissionregistrationv1.MutatingWebhookConfiguration, validating *admissionregistrationv1.ValidatingWebhookConfiguration) map[string]placed {
	entries := map[string]placed{}
	note := func(name string, selector *metav1.LabelSelector, a asked) {
		p := entries[name]
		p.namespaces = append(p.namespaces, selectedBy(selector)...)
		p.selector, p.asked = withoutListed(selector), a
		entries[name] = p
	}
	for i := range validating.Webhooks {
		entry := &validating.Webhooks[i]
		note(entry.Name, entry.NamespaceSelector, asked{entry.Rules, entry.MatchConditions})
	}
	for i := range mutating.Webhooks {
		entry := &mutating.Webhooks[i]
		note(entry.Name, entry.NamespaceSelector, asked{entry.Rules, entry.MatchConditions})
	}
	return entries
}

// selectedBy returns the namespaces that an entry of ours selects by name.
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
