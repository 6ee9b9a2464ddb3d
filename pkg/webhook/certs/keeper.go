package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// attempts bounds how often Ensure starts again after another replica was faster.
const attempts = 5

// errNotLoaded is what a TLS handshake gets before the first certificate is there.
var errNotLoaded = errors.New("no serving certificate yet")

// Publication tells whether every API server has been told to trust an authority.
type Publication interface {
	Published(ctx context.Context, ca *x509.Certificate) (bool, error)
}

// Options of a Keeper.
type Options struct {
	// Reader reads the Secret live, not from a cache.
	Reader client.Reader
	// Writer creates and updates the Secret.
	Writer client.Writer
	// Secret that holds the material.
	Secret types.NamespacedName
	// Labels that a new Secret gets.
	Labels      map[string]string
	Policy      Policy
	Publication Publication
	Clock       clock.PassiveClock
}

// Keeper holds the newest good material in memory and the Secret in order. All methods may be called at
// the same time.
type Keeper struct {
	options Options
	current atomic.Pointer[Material]
}

// NewKeeper returns a Keeper that holds nothing yet.
func NewKeeper(options Options) *Keeper {
	return &Keeper{options: options}
}

// GetCertificate is the hook of crypto/tls: each handshake gets the newest certificate.
func (k *Keeper) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	m := k.current.Load()
	if m == nil {
		return nil, errNotLoaded
	}
	return m.TLS(), nil
}

// Bundle returns the authorities to publish in PEM, nothing before the first certificate is there.
func (k *Keeper) Bundle() []byte {
	m := k.current.Load()
	if m == nil {
		return nil
	}
	return m.Bundle()
}

// Ready returns an error while there is no certificate that is valid now.
func (k *Keeper) Ready() error {
	m := k.current.Load()
	if m == nil {
		return errNotLoaded
	}
	now := k.options.Clock.Now()
	if cert := m.Serving.Cert; now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return fmt.Errorf("the serving certificate is valid from %s to %s, not now", cert.NotBefore, cert.NotAfter)
	}
	return nil
}

// Load takes over what a watch has seen in the Secret. Content that cannot serve is an error, and the
// material in memory stays.
func (k *Keeper) Load(secret *corev1.Secret) error {
	m, err := Parse(secret.Data)
	if err != nil {
		return fmt.Errorf("loading Secret %q: %w", k.options.Secret, err)
	}
	k.current.Store(m)
	return nil
}

// Ensure reads the Secret live, does what is due, writes the result and takes it over. A Secret that is
// gone or damaged is written again from memory where this process has good material, and made anew otherwise.
func (k *Keeper) Ensure(ctx context.Context) error {
	for range attempts {
		done, err := k.ensureOnce(ctx)
		if err != nil {
			return fmt.Errorf("keeping the certificates of Secret %q: %w", k.options.Secret, err)
		}
		if done {
			return nil
		}
	}
	return fmt.Errorf("keeping the certificates of Secret %q: another writer was faster %d times", k.options.Secret, attempts)
}

func (k *Keeper) ensureOnce(ctx context.Context) (done bool, err error) {
	log := logr.FromContextOrDiscard(ctx).WithValues("secret", k.options.Secret.String())
	secret := &corev1.Secret{}
	err = k.options.Reader.Get(ctx, k.options.Secret, secret)
	absent := apierrors.IsNotFound(err)
	if err != nil && !absent {
		return false, err
	}
	stored, parseErr := Parse(secret.Data)
	base := stored
	if parseErr != nil {
		base = k.current.Load()
		if !absent {
			log.Error(parseErr, "the Secret is damaged and is written again", "fromMemory", base != nil)
		}
	}
	var publishedErr error
	wanted, changes, err := k.options.Policy.Due(base, k.options.Clock.Now(), func(ca *x509.Certificate) bool {
		var ok bool
		ok, publishedErr = k.options.Publication.Published(ctx, ca)
		return ok
	})
	if err := errors.Join(err, publishedErr); err != nil {
		return false, err
	}
	if !wanted.equal(stored) {
		if done, err := k.write(ctx, secret, absent, wanted); !done || err != nil {
			return done, err
		}
		log.Info("certificates written", "changes", strings.Join(changes, ", "), "servingUntil", wanted.Serving.Cert.NotAfter)
	}
	k.current.Store(wanted)
	return true, nil
}

// write stores the material; false without an error means that another writer was faster.
func (k *Keeper) write(ctx context.Context, secret *corev1.Secret, absent bool, m *Material) (bool, error) {
	var err error
	if absent {
		err = k.options.Writer.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: k.options.Secret.Namespace,
				Name:      k.options.Secret.Name,
				Labels:    k.options.Labels,
			},
			Data: m.data(),
		})
	} else {
		secret = secret.DeepCopy()
		secret.Data = m.data()
		err = k.options.Writer.Update(ctx, secret)
	}
	if apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err) || (!absent && apierrors.IsNotFound(err)) {
		return false, nil
	}
	return err == nil, err
}
