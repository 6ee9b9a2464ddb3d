package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/authn/kubernetes"
	"github.com/google/go-containerregistry/pkg/name"
	"golang.org/x/sync/singleflight"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"
)

const (
	// secretsLife is how long pull secrets are kept, and secretsRetry how long it is that they could not be read.
	secretsLife  = time.Minute
	secretsRetry = 5 * time.Second
	// maxKeychains kept, one for each namespace, service account and list of names.
	maxKeychains = 1024
)

// credentials finds what to show a registry: pull secrets first, then this process' own.
type credentials struct {
	own     authn.Keychain
	secrets Secrets
	clock   clock.PassiveClock
	timeout time.Duration
	kept    *lru.Cache
	flights singleflight.Group
}

// pulled is what the pull secrets of one access hold.
type pulled struct {
	keychain authn.Keychain
	// note says, in words behind “refuses access”, which secrets could not be used; it may be empty.
	note string
	// at is when they were read, and until when they are kept.
	at, until time.Time
}

// credentialsError says that no registry was asked because the own credentials cannot be read.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string {
	return fmt.Sprintf("was not asked: reading the credentials for it: %s", e.err)
}

func (e *credentialsError) Unwrap() error { return e.err }

// resolve returns the credentials for a repository, and a note on those that could not be read. It
// returns nil where the pull secrets of some access hold none, so that the own ones are to be used.
func (c *credentials) resolve(ctx context.Context, access Access, target name.Repository) (authn.Authenticator, string, error) {
	var note string
	if !access.none() && c.secrets != nil {
		found, err := c.pulled(ctx, access)
		if err != nil {
			return nil, "", err
		}
		note = found.note
		auth, err := lookUp(ctx, found.keychain, target)
		if err == nil && auth != authn.Anonymous {
			return auth, note, nil
		}
		if note == "" {
			return nil, "", nil
		}
	}
	auth, err := lookUp(ctx, c.own, target)
	if err != nil {
		return nil, note, &credentialsError{err: err}
	}
	return auth, note, nil
}

// lookUp finds credentials that were stored for a host with the default port too: an image reference may
// have had it when they were, and the kubelet goes by how it is written.
func lookUp(ctx context.Context, keychain authn.Keychain, target name.Repository) (authn.Authenticator, error) {
	auth, err := authn.Resolve(ctx, keychain, target)
	host := target.RegistryStr()
	if err != nil || auth != authn.Anonymous || hasPort(host) {
		return auth, err
	}
	written, err := name.NewRegistry(host + httpsPort)
	if err != nil {
		return auth, nil
	}
	return authn.Resolve(ctx, keychain, written.Repo(target.RepositoryStr()))
}

func hasPort(host string) bool {
	_, _, err := net.SplitHostPort(host)
	return err == nil
}

// pulled reads the pull secrets, or remembers them.
func (c *credentials) pulled(ctx context.Context, access Access) (*pulled, error) {
	key := access.Key()
	if kept, found := c.kept.Get(key); found && c.clock.Now().Before(kept.(*pulled).until) {
		return kept.(*pulled), nil
	}
	results := c.flights.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
		defer cancel()
		at := c.clock.Now()
		found := c.read(ctx, access)
		found.at = at
		c.kept.Add(key, found)
		return found, nil
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case result := <-results:
		return result.Val.(*pulled), nil
	}
}

// refused forgets the pull secrets of one access that a registry refused, so that one that was corrected counts at once.
// It returns false where there are none, or where they have just been read.
func (c *credentials) refused(access Access) bool {
	if access.none() || c.secrets == nil {
		return false
	}
	kept, found := c.kept.Get(access.Key())
	if !found || c.clock.Since(kept.(*pulled).at) < secretsRetry {
		return false
	}
	c.kept.Remove(access.Key())
	return true
}

// read never fails: an image may be public, whatever became of the secrets.
func (c *credentials) read(ctx context.Context, access Access) *pulled {
	none, err := kubernetes.NewFromPullSecrets(ctx, nil)
	if err == nil {
		var secrets []corev1.Secret
		secrets, err = c.secrets.PullSecrets(ctx, access.Namespace, access.ServiceAccount, access.PullSecrets)
		if err == nil {
			return c.keychain(ctx, access, secrets)
		}
	}
	why := "could not be read"
	if apierrors.IsForbidden(err) {
		why = "may not be read by this process"
	}
	note := fmt.Sprintf(" (asked without the pull secrets of namespace %q, which %s: %s)", access.Namespace, why, err)
	return &pulled{keychain: none, note: note, until: c.clock.Now().Add(secretsRetry)}
}

// keychain uses the secrets that are well formed; the library would let one that is not hide them all.
func (c *credentials) keychain(ctx context.Context, access Access, secrets []corev1.Secret) *pulled {
	var good []corev1.Secret
	var bad []string
	for _, secret := range secrets {
		_, err := kubernetes.NewFromPullSecrets(ctx, []corev1.Secret{secret})
		if err != nil || !isDockerConfig(secret) {
			bad = append(bad, fmt.Sprintf("%q", secret.Name))
			continue
		}
		good = append(good, secret)
	}
	found := &pulled{until: c.clock.Now().Add(secretsLife)}
	keychain, err := kubernetes.NewFromPullSecrets(ctx, good)
	if err != nil { // Each one alone was read.
		keychain, bad = authn.NewMultiKeychain(), append(bad, err.Error())
	}
	found.keychain = keychain
	if len(bad) > 0 {
		slices.Sort(bad)
		found.note = fmt.Sprintf(" (asked without what is no Docker configuration in namespace %q: Secrets %s)",
			access.Namespace, strings.Join(bad, ", "))
	}
	return found
}

// isDockerConfig tells whether a Secret holds credentials in one of the two forms that the kubelet reads.
func isDockerConfig(secret corev1.Secret) bool {
	switch secret.Type {
	case corev1.SecretTypeDockerConfigJson:
		return json.Valid(secret.Data[corev1.DockerConfigJsonKey])
	case corev1.SecretTypeDockercfg:
		return json.Valid(secret.Data[corev1.DockerConfigKey])
	}
	return false
}
