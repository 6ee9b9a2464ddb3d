package audit

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/env"
)

// target is a namespace and the Environment whose rules it is judged by.
type target struct {
	environment *v1alpha1.Environment
	namespace   *corev1.Namespace
}

// scope is what the flags say about where to look.
type scope struct {
	// namespace that is judged alone; empty for all.
	namespace string
	// environment that is judged alone, or whose rules the namespace is judged by; empty for that of each namespace.
	environment string
}

// targets to judge, by environment and name, and what is to be told about those that are left out.
func (s scope) targets(environments []v1alpha1.Environment, live []corev1.Namespace) (targets []target, notes []string, err error) {
	if s.namespace != "" {
		targets, err := s.oneNamespace(environments, live)
		return targets, nil, err
	}
	for i := range environments {
		environment := &environments[i]
		if s.environment != "" && environment.Name != s.environment {
			continue
		}
		members := env.MembersOf(environments, environment, live)
		for at := range live {
			// A namespace that two Environments select by label is judged by the rules of both, as at admission.
			if covers(environments, environment, &live[at]) {
				targets = append(targets, target{environment, &live[at]})
			}
		}
		if len(members.Missing) > 0 {
			notes = append(notes, fmt.Sprintf("namespaces of environment %q do not exist or may not be read: %s",
				environment.Name, strings.Join(members.Missing, ", ")))
		}
	}
	slices.SortStableFunc(targets, func(a, b target) int { return strings.Compare(a.environment.Name, b.environment.Name) })
	if len(targets) == 0 {
		return nil, nil, fmt.Errorf("there is no namespace to judge: `kubectl rune env list` shows which namespaces the environments have")
	}
	return targets, notes, nil
}

// covers tells whether the rules of an Environment count in a namespace.
func covers(environments []v1alpha1.Environment, environment *v1alpha1.Environment, live *corev1.Namespace) bool {
	return slices.ContainsFunc(v1alpha1.Covering(environments, live.Name, live.Labels), func(e *v1alpha1.Environment) bool { return e.Name == environment.Name })
}

func (s scope) oneNamespace(environments []v1alpha1.Environment, live []corev1.Namespace) ([]target, error) {
	at := slices.IndexFunc(live, func(n corev1.Namespace) bool { return n.Name == s.namespace })
	if at < 0 {
		return nil, fmt.Errorf("namespace %q does not exist or may not be read: `kubectl get namespaces` lists those that exist", s.namespace)
	}
	if s.environment != "" {
		environment, err := env.Named(environments, s.environment)
		return []target{{environment: environment, namespace: &live[at]}}, err
	}
	var targets []target
	for _, environment := range v1alpha1.Covering(environments, s.namespace, live[at].Labels) {
		targets = append(targets, target{environment: environment, namespace: &live[at]})
	}
	if len(targets) == 0 {
		return nil, fmt.Errorf("namespace %q is in no environment: name one with --environment, or judge all environments with -A", s.namespace)
	}
	return targets, nil
}
