package webhook

import (
	"context"
	"fmt"
	"io/fs"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// defaultServiceAccount is the one of Pods that name none.
	defaultServiceAccount = "default"
	// defaultKeyField is where `cosign generate-key-pair k8s://…` puts the public key.
	defaultKeyField = "cosign.pub"
)

// secrets implements PullSecrets and KeySecrets by live reads: nothing that is secret is kept in a cache.
type secrets struct {
	live client.Reader
	// namespace of the webhook, the only one that keys are read from.
	namespace string
}

// PullSecrets implements PullSecrets.
func (s secrets) PullSecrets(ctx context.Context, namespace, serviceAccount string, names []string) ([]corev1.Secret, error) {
	if serviceAccount == "" {
		serviceAccount = defaultServiceAccount
	}
	names = slices.Clone(names)
	account := &corev1.ServiceAccount{}
	err := s.live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: serviceAccount}, account)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("reading ServiceAccount %q in namespace %q: %w", serviceAccount, namespace, err)
	}
	for _, reference := range account.ImagePullSecrets {
		names = append(names, reference.Name)
	}
	slices.Sort(names)
	var found []corev1.Secret
	for _, name := range slices.Compact(names) {
		secret := corev1.Secret{}
		err := s.live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &secret)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading pull secret %q in namespace %q: %w", name, namespace, err)
		}
		found = append(found, secret)
	}
	return found, nil
}

// KeySecret implements KeySecrets. For a key that is not there errors.Is(err, fs.ErrNotExist) or apierrors.IsNotFound
// holds: what was read before must count no longer.
func (s secrets) KeySecret(ctx context.Context, name, key string) ([]byte, error) {
	if key == "" {
		key = defaultKeyField
	}
	secret := &corev1.Secret{}
	if err := s.live.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, secret); err != nil {
		return nil, fmt.Errorf("reading Secret %q in namespace %q: %w", name, s.namespace, err)
	}
	content, found := secret.Data[key]
	if !found {
		return nil, fmt.Errorf("reading Secret %q in namespace %q: it has no data.%s: %w", name, s.namespace, key, fs.ErrNotExist)
	}
	return content, nil
}
