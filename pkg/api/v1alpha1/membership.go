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

// Owner returns the Environment that a namespace belongs to, nil where there is none. One that lists it by
// name goes before one that selects it by label; among equals the oldest counts, and of two equally old ones
// the first by name. A selector that cannot be read selects nothing here.
func Owner(environments []Environment, namespace string, namespaceLabels map[string]string) *Environment {
	if slices.Contains(SystemNamespaces(), namespace) {
		return nil
	}
	var owner *Environment
	byName := false
	for i := range environments {
		e := &environments[i]
		named := e.HasNamespace(namespace)
		if !named {
			if selected, err := e.Selects(namespaceLabels); err != nil || !selected || byName {
				continue
			}
		}
		if owner == nil || (named && !byName) || (named == byName && e.OlderThan(owner)) {
			owner, byName = e, named
		}
	}
	return owner
}

// OlderThan orders Environments by their creation, and those of one second by name.
func (e *Environment) OlderThan(other *Environment) bool {
	if !e.CreationTimestamp.Equal(&other.CreationTimestamp) {
		return e.CreationTimestamp.Before(&other.CreationTimestamp)
	}
	return e.Name < other.Name
}
