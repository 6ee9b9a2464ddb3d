package v1alpha1

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// SystemNamespaces can be part of no environment: neither by name nor by selector.
func SystemNamespaces() []string {
	return []string{metav1.NamespaceSystem, metav1.NamespacePublic, "kube-node-lease", SystemNamespace}
}

// HasNamespace tells whether the environment lists a namespace by name.
func (e *Environment) HasNamespace(namespace string) bool {
	return slices.Contains(e.Spec.Namespaces, namespace)
}

// SelectsByLabel tells whether the environment has a selector that can match anything.
func (e *Environment) SelectsByLabel() bool {
	s := e.Spec.NamespaceSelector
	return s != nil && len(s.MatchLabels)+len(s.MatchExpressions) > 0
}

// Selects tells whether the environment's selector matches the labels of a namespace. The error says what is
// wrong with the selector.
func (e *Environment) Selects(namespace map[string]string) (bool, error) {
	if !e.SelectsByLabel() {
		return false, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(e.Spec.NamespaceSelector)
	if err != nil {
		return false, fmt.Errorf("reading spec.namespaceSelector of Environment %q: %w", e.Name, err)
	}
	return selector.Matches(labels.Set(namespace)), nil
}

// Covering returns the Environments whose rules count in a namespace: of those that list it by name the oldest
// alone, else all that select it by label, the oldest first; of two equally old ones the first by name goes
// before. A selector that cannot be read selects nothing here.
func Covering(environments []Environment, namespace string, namespaceLabels map[string]string) []*Environment {
	if slices.Contains(SystemNamespaces(), namespace) {
		return nil
	}
	var named *Environment
	var selecting []*Environment
	for i := range environments {
		e := &environments[i]
		if e.HasNamespace(namespace) {
			if named == nil || e.OlderThan(named) {
				named = e
			}
			continue
		}
		if selected, err := e.Selects(namespaceLabels); err == nil && selected {
			selecting = append(selecting, e)
		}
	}
	if named != nil {
		return []*Environment{named}
	}
	slices.SortFunc(selecting, func(a, b *Environment) int {
		if a.OlderThan(b) {
			return -1
		}
		return 1
	})
	return selecting
}

// Owner returns the first of the Environments that cover a namespace, nil where there is none. Stamps and seals
// are made in its name.
func Owner(environments []Environment, namespace string, namespaceLabels map[string]string) *Environment {
	if covering := Covering(environments, namespace, namespaceLabels); len(covering) > 0 {
		return covering[0]
	}
	return nil
}

// OlderThan orders Environments by their creation, and those of one second by name.
func (e *Environment) OlderThan(other *Environment) bool {
	if !e.CreationTimestamp.Equal(&other.CreationTimestamp) {
		return e.CreationTimestamp.Before(&other.CreationTimestamp)
	}
	return e.Name < other.Name
}
