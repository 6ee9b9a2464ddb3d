package registration

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/stored"
)

// Bounds of the conditions for declared kinds.
const (
	// maxConditions of one entry; the API server takes 64.
	maxConditions = 60
	// maxDepth is the number of fields up to which a condition looks into a template's path. API servers compile
	// the conditions, which takes longer the deeper they look.
	maxDepth = 8
	// kindPrefix begins the names of the conditions for declared kinds.
	kindPrefix = "declared-"
)

// asked is what an entry asks about.
type asked struct {
	rules      []admissionregistrationv1.RuleWithOperations
	conditions []admissionregistrationv1.MatchCondition
}

// wantedKinds returns what the entries of an Environment ask about. Where its declared kinds cannot be read,
// what its entries ask about already stays.
func wantedKinds(environment *stored.Environment, entries map[string]placed) asked {
	entry, found := entries[entryName(environment.Name)]
	if !found {
		entry = entries[selectedName(environment.Name)]
	}
	custom := len(environment.Spec.Rules.Custom) > 0
	revisions := environment.Spec.Rules.Approval != nil || environment.Spec.Rules.Access != nil
	if environment.Err != nil {
		has := func(custom, revisions bool) bool {
			return slices.Contains(entry.asked.conditions, matchConditions(custom, revisions)[0])
		}
		custom, revisions = has(true, false) || has(true, true), has(false, true) || has(true, true)
	}
	a := asked{rules(), matchConditions(custom, revisions)}
	if environment.KindsKnown {
		kinds := declared(environment.Spec.WorkloadKinds)
		a.rules = append(a.rules, declaredRules(kinds)...)
		a.conditions = append(a.conditions, declaredConditions(kinds, custom)...)
		return a
	}
	for _, rule := range entry.asked.rules {
		if !slices.ContainsFunc(rules(), func(own admissionregistrationv1.RuleWithOperations) bool {
			return slices.Equal(own.APIGroups, rule.APIGroups)
		}) {
			a.rules = append(a.rules, rule)
		}
	}
	for _, condition := range entry.asked.conditions {
		if strings.HasPrefix(condition.Name, kindPrefix) {
			a.conditions = append(a.conditions, condition)
		}
	}
	return a
}

// declaredKind is a resource with all paths at which it is said to hold a pod template.
type declaredKind struct {
	resource schema.GroupResource
	paths    [][]string
}

// declared returns the kinds by resource, sorted. Rune's own and the built-in ones are asked about anyhow.
func declared(kinds []v1alpha1.WorkloadKind) []declaredKind {
	paths := map[schema.GroupResource][][]string{}
	for _, kind := range kinds {
		if slices.Contains([]string{"", "apps", "batch", v1alpha1.GroupName}, kind.Group) || kind.Resource == "" || kind.TemplatePath == "" {
			continue
		}
		resource := schema.GroupResource{Group: kind.Group, Resource: kind.Resource}
		paths[resource] = append(paths[resource], strings.Split(kind.TemplatePath, "."))
	}
	var all []declaredKind
	for _, resource := range slices.SortedFunc(maps.Keys(paths), func(a, b schema.GroupResource) int {
		return cmp.Or(strings.Compare(a.Group, b.Group), strings.Compare(a.Resource, b.Resource))
	}) {
		all = append(all, declaredKind{resource, paths[resource]})
	}
	return all
}

// declaredRules has one rule for each group. All versions are asked about as they are: the path of a template
// is said of the kind.
func declaredRules(kinds []declaredKind) []admissionregistrationv1.RuleWithOperations {
	var all []admissionregistrationv1.RuleWithOperations
	for _, kind := range kinds {
		if last := len(all) - 1; last >= 0 && all[last].APIGroups[0] == kind.resource.Group {
			all[last].Resources = append(all[last].Resources, kind.resource.Resource)
			continue
		}
		all = append(all, rule(admissionregistrationv1.NamespacedScope, kind.resource.Group, "*", kind.resource.Resource))
	}
	return all
}

// declaredConditions keep updates away that leave the templates of declared kinds as they are. Conditions
// only ever keep something away, so that a kind which has none is asked about more often.
func declaredConditions(kinds []declaredKind, custom bool) []admissionregistrationv1.MatchCondition {
	var all []admissionregistrationv1.MatchCondition
	for i, kind := range kinds {
		if len(all) == maxConditions-1 || slices.ContainsFunc(kind.paths, func(path []string) bool { return len(path) > maxDepth }) {
			continue
		}
		changes := make([]string, 0, len(kind.paths))
		for _, path := range kind.paths {
			changes = append(changes, changesAt(path))
		}
		if custom {
			changes = append(changes, specChanges())
		}
		all = append(all, admissionregistrationv1.MatchCondition{
			Name: fmt.Sprintf("%s%d", kindPrefix, i),
			Expression: fmt.Sprintf("request.operation != 'UPDATE' || request.resource.group != %s || request.resource.resource != %s || %s",
				quote(kind.resource.Group), quote(kind.resource.Resource), strings.Join(changes, " || ")),
		})
	}
	return all
}

// changesAt says in CEL that a field differs. Nobody knows what a declared kind holds on the way there, and
// an error would deny the request: optional fields make what is missing equal to what is missing, and a list
// on the way, into which CEL cannot look by name, counts as a change (in CEL an error beside a true is true).
func changesAt(path []string) string {
	at := func(object string, depth int) string {
		var text strings.Builder
		text.WriteString(object)
		for _, field := range path[:depth] {
			text.WriteString("[?" + quote(field) + "]")
		}
		return text.String()
	}
	parts := []string{at("object", len(path)) + " != " + at("oldObject", len(path))}
	for depth := 1; depth < len(path); depth++ {
		for _, object := range []string{"object", "oldObject"} {
			parts = append(parts, "type("+at(object, depth)+".orValue(null)) == list")
		}
	}
	return strings.Join(parts, " || ")
}

func rule(scope admissionregistrationv1.ScopeType, group, version string, resources ...string) admissionregistrationv1.RuleWithOperations {
	return admissionregistrationv1.RuleWithOperations{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
		Rule: admissionregistrationv1.Rule{
			APIGroups:   []string{group},
			APIVersions: []string{version},
			Resources:   resources,
			Scope:       ptr.To(scope),
		},
	}
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
