package registries

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// defaultAccount is the service account of a pod that names none.
const defaultAccount = "default"

// secrets reads pull secrets and public keys with the caller's rights.
type secrets struct{ kube kubernetes.Interface }

// PullSecrets returns those that are named and those of the service account, as a pod would have them. What does not
// exist is left out, as the kubelet leaves it out.
func (s secrets) PullSecrets(ctx context.Context, namespace, serviceAccount string, names []string) ([]corev1.Secret, error) {
	if serviceAccount == "" {
		serviceAccount = defaultAccount
	}
	names = slices.Clone(names)
	account, err := s.kube.CoreV1().ServiceAccounts(namespace).Get(ctx, serviceAccount, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		return nil, err
	default:
		for _, reference := range account.ImagePullSecrets {
			names = append(names, reference.Name)
		}
	}
	var found []corev1.Secret
	seen := map[string]bool{}
	for _, name := range names {
		if seen[name] {
			continue
		}
		seen[name] = true
		secret, err := s.kube.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = append(found, *secret)
	}
	return found, nil
}

// KeySecret returns a public key out of a Secret in the webhook's namespace.
func (s secrets) KeySecret(ctx context.Context, name, key string) ([]byte, error) {
	secret, err := s.kube.CoreV1().Secrets(v1alpha1.SystemNamespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	data, found := secret.Data[key]
	if !found {
		return nil, fmt.Errorf("it has no key %q", key)
	}
	return data, nil
}
