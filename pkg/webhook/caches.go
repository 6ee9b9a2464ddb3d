package webhook

import (
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/registration"
)

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("registering kinds: %w", err)
		}
	}
	return scheme, nil
}

// cacheOptions narrow the informers to what RBAC grants by name: one Secret and our own two configurations.
func cacheOptions(namespace string) cache.Options {
	ours := fields.OneTermEqualSelector("metadata.name", registration.Name)
	return cache.Options{ByObject: map[client.Object]cache.ByObject{
		&corev1.Secret{}: {Namespaces: map[string]cache.Config{
			namespace: {FieldSelector: fields.OneTermEqualSelector("metadata.name", CertSecretName)},
		}},
		&admissionregistrationv1.MutatingWebhookConfiguration{}:   {Field: ours},
		&admissionregistrationv1.ValidatingWebhookConfiguration{}: {Field: ours},
		// Watched by metadata only, in the replica that leads.
		&corev1.Namespace{}: {Transform: namesAndLabels},
	}}
}

// namesAndLabels drops what nobody reads of the metadata of an object before it is kept.
func namesAndLabels(object any) (any, error) {
	if metadata, ok := object.(*metav1.PartialObjectMetadata); ok {
		metadata.Annotations, metadata.ManagedFields, metadata.OwnerReferences, metadata.Finalizers = nil, nil, nil, nil
	}
	return object, nil
}
