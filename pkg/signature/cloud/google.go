package cloud

import (
	"context"
	"regexp"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/google"
	"k8s.io/utils/clock"
)

const (
	// googleLife is how long an authenticator is used; it renews its tokens by itself.
	googleLife = time.Hour
	// googleRetry is how long it is taken for granted that there is no identity.
	googleRetry = time.Minute
)

// googleHost is a registry of Google's.
var googleHost = regexp.MustCompile(`^(?:gcr\.io|[a-z0-9-]+\.gcr\.io|[a-z0-9-]+-docker\.pkg\.dev)$`)

// googleRegistry says that one identity is good for all of Google's registries.
func googleRegistry(registry string) string {
	if googleHost.MatchString(registry) {
		return "pkg.dev"
	}
	return ""
}

// googleCredentials are the Application Default Credentials. Without any, registries are asked without: much of what
// lies there is public. The library's own keychain would ask once for all, with the context of the first who needs it.
func googleCredentials(ctx context.Context, clock clock.PassiveClock, _ string) (credentials, error) {
	type answer struct {
		auth authn.Authenticator
		err  error
	}
	answers := make(chan answer, 1)
	// The source of tokens keeps its context, and asks metadata servers that may not answer.
	kept := context.WithoutCancel(ctx)
	go func() {
		auth, err := google.NewEnvAuthenticator(kept)
		answers <- answer{auth: auth, err: err}
	}()
	select {
	case <-ctx.Done():
		return credentials{}, ctx.Err()
	case got := <-answers:
		if got.err != nil {
			return credentials{auth: authn.Anonymous, until: clock.Now().Add(googleRetry)}, nil //nolint:nilerr // no identity is no failure
		}
		return credentials{auth: got.auth, until: clock.Now().Add(googleLife)}, nil
	}
}
