package connect

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// EnvironmentOf returns the Environment that a namespace belongs to, nil where there is none. The namespace
// is read only where labels can make a difference.
func (c *Connection) EnvironmentOf(ctx context.Context, namespace string) (*v1alpha1.Environment, error) {
	environments, err := c.Environments(ctx)
	if err != nil {
		return nil, err
	}
	if owner := v1alpha1.Owner(environments, namespace, nil); owner != nil && owner.HasNamespace(namespace) {
		return owner, nil
	}
	if !slices.ContainsFunc(environments, func(e v1alpha1.Environment) bool { return e.SelectsByLabel() }) {
		return nil, nil
	}
	live, err := c.Kube.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading the labels of namespace %q, which may select an environment: %w", namespace, err)
	}
	return v1alpha1.Owner(environments, namespace, live.Labels), nil
}

// NamespacesOf returns the namespaces that an Environment covers now, sorted: those that it lists, existing or
// not, and those that its selector matches and that belong to no other Environment.
func (c *Connection) NamespacesOf(ctx context.Context, environment *v1alpha1.Environment) ([]string, error) {
	names := slices.Clone(environment.Spec.Namespaces)
	if environment.SelectsByLabel() {
		environments, err := c.Environments(ctx)
		if err != nil {
			return nil, err
		}
		// The API server's cache will do: a namespace that was labelled a moment ago may be missed.
		live, err := c.Kube.CoreV1().Namespaces().List(ctx, metav1.ListOptions{
			LabelSelector: metav1.FormatLabelSelector(environment.Spec.NamespaceSelector), ResourceVersion: "0",
		})
		if err != nil {
			return nil, fmt.Errorf("listing the namespaces that environment %q selects: %w", environment.Name, err)
		}
		for i := range live.Items {
			owner := v1alpha1.Owner(environments, live.Items[i].Name, live.Items[i].Labels)
			if owner != nil && owner.Name == environment.Name {
				names = append(names, live.Items[i].Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
