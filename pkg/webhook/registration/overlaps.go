package registration

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apilabels "k8s.io/apimachinery/pkg/labels"
)

// maxOverlaps is how many namespaces the status of one Environment names.
const maxOverlaps = 10

// overlaps says, by the name of the younger Environment, which namespaces two selectors match. Both judge what
// enters there; Releases and Approvals are sealed in the name of the older.
func (r *Reconciler) overlaps(ctx context.Context, covered []coverage) (map[string][]string, error) {
	selectors := make([]apilabels.Selector, len(covered))
	n := 0
	for i, c := range covered {
		if c.selector == nil {
			continue
		}
		selector, err := metav1.LabelSelectorAsSelector(c.selector)
		if err != nil {
			continue // said elsewhere
		}
		selectors[i] = selector
		n++
	}
	if n < 2 {
		return nil, nil
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := r.options.Namespaces.List(ctx, list); err != nil {
		return nil, fmt.Errorf("listing Namespaces: %w", err)
	}
	slices.SortFunc(list.Items, func(a, b metav1.PartialObjectMetadata) int { return strings.Compare(a.Name, b.Name) })
	found := map[string][]string{}
	for i := range list.Items {
		namespace := &list.Items[i]
		if slices.Contains(covered[0].listed, namespace.Name) {
			continue
		}
		shared(covered, selectors, namespace, found)
	}
	for name, all := range found {
		if more := len(all) - maxOverlaps; more > 0 {
			found[name] = append(all[:maxOverlaps:maxOverlaps], fmt.Sprintf("and so are %d more", more))
		}
	}
	return found, nil
}

// shared adds what is to be said of a namespace that several selectors match.
func shared(covered []coverage, selectors []apilabels.Selector, namespace *metav1.PartialObjectMetadata, found map[string][]string) {
	owner := -1
	var matching []int
	for i, selector := range selectors {
		if selector == nil || !selector.Matches(apilabels.Set(namespace.Labels)) {
			continue
		}
		matching = append(matching, i)
		if owner < 0 || covered[i].environment.OlderThan(&covered[owner].environment.Environment) {
			owner = i
		}
	}
	for _, i := range matching {
		if i == owner {
			continue
		}
		younger, older := covered[i].environment.Name, covered[owner].environment.Name
		found[younger] = append(found[younger], fmt.Sprintf(
			"namespace %q is selected by Environment %q and by the older Environment %q: the rules of both count there, "+
				"until spec.namespaceSelector of one of them leaves it out", namespace.Name, younger, older))
	}
}
