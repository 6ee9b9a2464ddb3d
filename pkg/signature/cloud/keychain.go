package cloud

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"golang.org/x/sync/singleflight"
	"k8s.io/utils/clock"
)

// pauseAfterFailure is how long a cloud that gave no credentials is not asked again.
const pauseAfterFailure = 10 * time.Second

// NewKeychain finds credentials for registries: in the Docker configuration, then with the process' own identity for
// those of AWS, Azure and Google. Other registries are asked without.
func NewKeychain(clock clock.PassiveClock) authn.Keychain {
	return authn.NewMultiKeychain(
		authn.DefaultKeychain,
		newKeychain(clock, "AWS", ecrRegistry, ecrCredentials),
		newKeychain(clock, "Azure", acrRegistry, acrCredentials),
		newKeychain(clock, "Google", googleRegistry, googleCredentials),
	)
}

// credentials and until when they may be used again.
type credentials struct {
	auth  authn.Authenticator
	until time.Time
}

// keychain is that of one cloud. What it was given is kept: registries are asked for many images.
type keychain struct {
	clock clock.PassiveClock
	cloud string
	// realm tells which credentials a registry needs, as several may share some; empty if it is none of the cloud's.
	realm func(registry string) string
	// fetch asks the cloud.
	fetch func(ctx context.Context, clock clock.PassiveClock, realm string) (credentials, error)

	flights singleflight.Group
	mu      sync.Mutex
	kept    map[string]credentials
	failed  map[string]failure
}

type failure struct {
	err   error
	until time.Time
}

func newKeychain(
	clock clock.PassiveClock, cloud string, realm func(string) string,
	fetch func(context.Context, clock.PassiveClock, string) (credentials, error),
) *keychain {
	return &keychain{clock: clock, cloud: cloud, realm: realm, fetch: fetch, kept: map[string]credentials{}, failed: map[string]failure{}}
}

// Resolve implements authn.Keychain.
func (k *keychain) Resolve(target authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), target) //nolint:contextcheck // the interface has none
}

// ResolveContext implements authn.ContextKeychain. The error says that a registry of this cloud was meant and no
// credentials were to be had: without them it would refuse access, and the cause would be lost.
func (k *keychain) ResolveContext(ctx context.Context, target authn.Resource) (authn.Authenticator, error) {
	realm := k.realm(target.RegistryStr())
	if realm == "" {
		return authn.Anonymous, nil
	}
	if auth, err, known := k.known(realm); known {
		return auth, err
	}
	flight := k.flights.DoChan(realm, func() (any, error) {
		// Who asked first may go away; the others wait on.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		found, err := k.fetch(ctx, k.clock, realm)
		k.keep(realm, found, err)
		return nil, nil
	})
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("asking %s for credentials for registry %q: %w", k.cloud, target.RegistryStr(), ctx.Err())
	case <-flight:
	}
	auth, err, _ := k.known(realm)
	return auth, err
}

// fetchTimeout bounds one request for credentials.
const fetchTimeout = 10 * time.Second

func (k *keychain) known(realm string) (auth authn.Authenticator, err error, known bool) { //nolint:revive,staticcheck // the error is what is known
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.clock.Now()
	if found, ok := k.kept[realm]; ok && now.Before(found.until) {
		return found.auth, nil, true
	}
	if failed, ok := k.failed[realm]; ok && now.Before(failed.until) {
		return nil, failed.err, true
	}
	return nil, nil, false
}

func (k *keychain) keep(realm string, found credentials, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		k.failed[realm] = failure{
			err:   fmt.Errorf("asking %s for credentials for its registry %q with the webhook's own identity: %w", k.cloud, realm, brief(err)),
			until: k.clock.Now().Add(pauseAfterFailure),
		}
		return
	}
	k.kept[realm] = found
}
