package webhook

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// SealSecretName is the Secret that holds the key of the seals. Losing it makes every Release and
// Approval absent, so it is created once and never written again.
const SealSecretName = "rune-seal"

const (
	sealKeyField = "key"
	// sealKeyBytes is the length of a new key and the least that an existing one must have.
	sealKeyBytes = 32
	// sealKeyAge is how long a key that was read is used without looking at the Secret again.
	sealKeyAge = 30 * time.Second
)

// sealKeys implements admission.Keys with a Secret.
type sealKeys struct {
	live   client.Reader
	writer client.Writer
	secret types.NamespacedName
	clock  clock.PassiveClock

	mu     sync.Mutex
	key    []byte
	readAt time.Time
}

// SealKey implements admission.Keys. While the API server cannot be asked, the key that was read last counts.
func (s *sealKeys) SealKey(ctx context.Context) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.key != nil && s.clock.Since(s.readAt) < sealKeyAge {
		return s.key, nil
	}
	key, err := s.read(ctx)
	if err != nil {
		if s.key != nil && !isUnusable(err) {
			return s.key, nil
		}
		return nil, err
	}
	if s.key != nil && !bytes.Equal(s.key, key) {
		logr.FromContextOrDiscard(ctx).Info("the seal key has changed: Releases and Approvals sealed before count as absent", "secret", s.secret.String())
	}
	s.key, s.readAt = key, s.clock.Now()
	return key, nil
}

// read returns the stored key. Where the Secret is gone, the key in memory or a new one is stored first.
func (s *sealKeys) read(ctx context.Context) ([]byte, error) {
	secret := &corev1.Secret{}
	err := s.live.Get(ctx, s.secret, secret)
	if apierrors.IsNotFound(err) {
		if err := s.create(ctx); err != nil {
			return nil, err
		}
		// What is stored counts, because another replica may have been faster.
		err = s.live.Get(ctx, s.secret, secret)
	}
	if err != nil {
		return nil, fmt.Errorf("reading Secret %q: %w", s.secret, err)
	}
	key := secret.Data[sealKeyField]
	if len(key) < sealKeyBytes {
		return nil, &unusableKeyError{secret: s.secret, length: len(key)}
	}
	return key, nil
}

func (s *sealKeys) create(ctx context.Context) error {
	key := s.key
	if key == nil {
		key = make([]byte, sealKeyBytes)
		if _, err := rand.Read(key); err != nil {
			return fmt.Errorf("making a seal key: %w", err)
		}
	}
	err := s.writer.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.secret.Namespace, Name: s.secret.Name, Labels: labels()},
		// The API server refuses later changes; only a deletion is left to guard against.
		Immutable: ptr.To(true),
		Data:      map[string][]byte{sealKeyField: key},
	})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating Secret %q: %w", s.secret, err)
	}
	return nil
}

// labels of the Secrets that the webhook makes.
func labels() map[string]string {
	return map[string]string{
		"app.kubernetes.io/name":       "rune-webhook",
		"app.kubernetes.io/part-of":    "rune",
		"app.kubernetes.io/managed-by": "rune-webhook",
	}
}

// unusableKeyError says that the Secret exists and holds no key. It is never repaired: a new key would
// make all that was sealed before absent.
type unusableKeyError struct {
	secret types.NamespacedName
	length int
}

// Error implements error.
func (e *unusableKeyError) Error() string {
	return fmt.Sprintf("Secret %q holds a seal key of %d bytes in data.%s, needed are at least %d: "+
		"restore it from a backup, or delete the Secret and have all releases in flight requested and approved again",
		e.secret, e.length, sealKeyField, sealKeyBytes)
}

func isUnusable(err error) bool {
	_, ok := err.(*unusableKeyError) //nolint:errorlint // read returns it unwrapped
	return ok
}
