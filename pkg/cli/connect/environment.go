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
