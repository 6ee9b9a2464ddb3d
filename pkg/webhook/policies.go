package webhook

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/stored"
)

// policies implements admission.Policies from informers. What they do not have is looked up live before
// it counts as absent. Objects are read untyped, so that one that cannot be read takes no other with it,
// and decoded once per version: what is compiled from an Environment is found again by its pointer.
type policies struct {
	cached, live client.Reader
	catalog      *stored.Catalog
}

func newPolicies(cached, live client.Reader) policies {
	return policies{cached: cached, live: live, catalog: stored.NewCatalog()}
}

// Environment implements admission.Policies.
func (p policies) Environment(ctx context.Context, name string) (*v1alpha1.Environment, error) {
	environment, err := p.catalog.Environment(ctx, p.cached, name)
	if apierrors.IsNotFound(err) {
		environment, err = p.catalog.Environment(ctx, p.live, name)
	}
	return environment, err
}

// EnvironmentOf implements admission.Policies. It is asked for stamps only, so everything is read live: a label
// that a cache does not know yet must not decide in whose name a seal is. The namespace is read only where
// an Environment selects by label. An Environment that cannot be read counts by what can be read of its
// names and its selector; its own entries refuse whatever they meet.
func (p policies) EnvironmentOf(ctx context.Context, namespace string) (string, error) {
	known, err := p.catalog.Environments(ctx, p.live)
	if err != nil {
		return "", err
	}
	environments := make([]v1alpha1.Environment, len(known))
	byLabel := false
	for i := range known {
		environments[i] = known[i].Environment
		byLabel = byLabel || environments[i].SelectsByLabel()
	}
	var labels map[string]string
	if byLabel {
		object := &metav1.PartialObjectMetadata{}
		object.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
		if err := p.live.Get(ctx, client.ObjectKey{Name: namespace}, object); err != nil {
			return "", fmt.Errorf("reading Namespace %q: %w", namespace, err)
		}
		labels = object.Labels
	}
	if owner := v1alpha1.Owner(environments, namespace, labels); owner != nil {
		return owner.Name, nil
	}
	return "", nil
}

// ImagePolicies implements admission.Policies.
func (p policies) ImagePolicies(ctx context.Context, environment string) ([]*v1alpha1.ImagePolicy, error) {
	for _, reader := range []client.Reader{p.cached, p.live} {
		naming, err := p.catalog.ImagePolicies(ctx, reader, environment)
		if err != nil || len(naming) > 0 {
			return naming, err
		}
	}
	return nil, nil
}

// Environments returns all that can be read, live.
func (p policies) Environments(ctx context.Context) ([]v1alpha1.Environment, error) {
	all, err := p.catalog.Environments(ctx, p.live)
	if err != nil {
		return nil, err
	}
	var readable []v1alpha1.Environment
	for _, environment := range all {
		if environment.Err == nil {
			readable = append(readable, environment.Environment)
		}
	}
	return readable, nil
}

// known tells whether the informers have an Environment of this name.
func (p policies) known(ctx context.Context, name string) bool {
	return p.cached.Get(ctx, client.ObjectKey{Name: name}, stored.Object(v1alpha1.KindEnvironment), client.UnsafeDisableDeepCopy) == nil
}
