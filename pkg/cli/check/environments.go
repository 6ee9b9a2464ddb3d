package check

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/configuration"
	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/files"
)

// settings reads the Environments of --config, else those of the cluster, and where signatures are verified the
// ImagePolicies too.
func (o *Options) settings(ctx context.Context, loader *files.Loader) (*files.Set, error) {
	if o.connection != nil {
		set := &files.Set{}
		var err error
		if set.Environments, err = o.connection.Environments(ctx); err != nil {
			return nil, err
		}
		if o.VerifyImages {
			set.ImagePolicies, err = o.connection.ImagePolicies(ctx)
		}
		return set, err
	}
	set, err := configuration.Read(ctx, loader, o.Config)
	if err != nil {
		return nil, err
	}
	if len(set.Environments) == 0 {
		return nil, fmt.Errorf("--config %s holds no Environment", strings.Join(o.Config, ", "))
	}
	return set, nil
}

// named picks an Environment; without one of that name it tells those that there are.
func named(environments []v1alpha1.Environment, name string) (*v1alpha1.Environment, error) {
	if found, err := connect.EnvironmentNamed(environments, name); err == nil {
		return found, nil
	}
	names := make([]string, len(environments))
	for i := range environments {
		names[i] = strconv.Quote(environments[i].Name)
	}
	slices.Sort(names)
	return nil, fmt.Errorf("environment %q does not exist: there are %s", name, strings.Join(names, ", "))
}

// membership tells which environments a namespace belongs to.
type membership struct {
	environments []v1alpha1.Environment
	// labels of the Namespaces among the manifests, by name, in their order.
	labels map[string][]map[string]string
	// live reads the labels of a namespace; nil without a cluster.
	live func(ctx context.Context, namespace string) (map[string]string, error)

	known map[string][]*v1alpha1.Environment
}

// covering returns the Environments whose rules count in a namespace: by the labels that it has, and by those that it
// will have with the manifests. A namespace cannot leave its rules by a label in a file, and cannot enter others unjudged.
func (m *membership) covering(ctx context.Context, namespace string) ([]*v1alpha1.Environment, error) {
	if covering, known := m.known[namespace]; known {
		return covering, nil
	}
	sets, err := m.labelsOf(ctx, namespace)
	if err != nil {
		return nil, err
	}
	var covering []*v1alpha1.Environment
	for _, labels := range sets {
		for _, environment := range v1alpha1.Covering(m.environments, namespace, labels) {
			if !slices.Contains(covering, environment) {
				covering = append(covering, environment)
			}
		}
	}
	m.known[namespace] = covering
	return covering, nil
}

// labelsOf returns the labels of a namespace as they are, and as they will be after each manifest of it: what a manifest
// does not name stays. Live ones are read only where a selector could match them.
func (m *membership) labelsOf(ctx context.Context, namespace string) ([]map[string]string, error) {
	labels := map[string]string{}
	selected := slices.ContainsFunc(m.environments, func(e v1alpha1.Environment) bool { return e.SelectsByLabel() })
	listed := slices.ContainsFunc(m.environments, func(e v1alpha1.Environment) bool { return e.HasNamespace(namespace) })
	live := m.live != nil && selected && !listed
	if live {
		found, err := m.live(ctx, namespace)
		if err != nil {
			return nil, err
		}
		labels = found
	}
	var sets []map[string]string
	if live || len(m.labels[namespace]) == 0 {
		sets = append(sets, withName(labels, namespace))
	}
	for _, written := range m.labels[namespace] {
		labels = maps.Clone(labels)
		maps.Copy(labels, written)
		sets = append(sets, withName(labels, namespace))
	}
	return sets, nil
}

// withName gives labels that which the API server gives every namespace; nobody can give it another value.
func withName(labels map[string]string, namespace string) map[string]string {
	labels = maps.Clone(labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[corev1.LabelMetadataName] = namespace
	return labels
}

// liveLabels reads the labels of a namespace; one that does not exist has none.
func liveLabels(connection *connect.Connection) func(context.Context, string) (map[string]string, error) {
	return func(ctx context.Context, namespace string) (map[string]string, error) {
		found, err := connection.Kube.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return map[string]string{}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the labels of namespace %q, which may select an environment: %w", namespace, err)
		}
		return withName(found.Labels, namespace), nil
	}
}
