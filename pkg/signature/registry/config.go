package registry

import (
	"errors"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"k8s.io/utils/clock"
)

// Defaults of Config.
const (
	defaultRequestTimeout = 5 * time.Second
	defaultMaxBlob        = 16 << 20
	defaultConcurrency    = 32
	defaultUserAgent      = "rune"
)

// Config of a Client; every field may be zero.
type Config struct {
	// Registries that need more than their name: see Configuration.
	Registries []Registry
	// Keychain holds this process' own credentials; its Docker configuration if nil.
	Keychain authn.Keychain
	// Secrets reads pull secrets; if nil, only the own credentials are used.
	Secrets Secrets
	// Clock by which tokens age and registries are left alone; the real one if nil. Contexts and
	// RequestTimeout go by the real clock always.
	Clock clock.Clock
	// RequestTimeout bounds each try of a request, its answer included; 5 s if zero.
	RequestTimeout time.Duration
	// MaxBlob bounds a blob, in bytes; 16 MiB if zero.
	MaxBlob int64
	// Concurrency bounds the requests in flight to one registry; 32 if zero.
	Concurrency int
	// UserAgent of all requests; "rune" if empty.
	UserAgent string
	// Observe is told of each HTTP request when the header of its answer has arrived or it failed. It
	// is called by many at once and must not block.
	Observe func(Request)
}

// Kind says what a request was for.
type Kind string

// The kinds of requests.
const (
	KindPing      Kind = "ping"
	KindToken     Kind = "token"
	KindHead      Kind = "head"
	KindManifest  Kind = "manifest"
	KindReferrers Kind = "referrers"
	KindBlob      Kind = "blob"
	// KindRedirect is a request to another host, as the registry told: a storage or a regional registry.
	KindRedirect Kind = "redirect"
)

// Request is one HTTP request that was made.
type Request struct {
	// Registry is the host that was meant to answer, a mirror's if it was a mirror. Docker Hub is index.docker.io.
	Registry string
	Kind     Kind
	// Status of the answer; zero if there was none.
	Status int
	// Duration until the header of the answer.
	Duration time.Duration
}

func (c *Config) complete() error {
	if c.Keychain == nil {
		c.Keychain = authn.DefaultKeychain
	}
	if c.Clock == nil {
		c.Clock = clock.RealClock{}
	}
	if c.Observe == nil {
		c.Observe = func(Request) {}
	}
	if c.UserAgent == "" {
		c.UserAgent = defaultUserAgent
	}
	if c.RequestTimeout < 0 || c.MaxBlob < 0 || c.Concurrency < 0 {
		return errors.New("configuring the registry client: the bounds must not be negative")
	}
	if c.RequestTimeout == 0 {
		c.RequestTimeout = defaultRequestTimeout
	}
	if c.MaxBlob == 0 {
		c.MaxBlob = defaultMaxBlob
	}
	if c.Concurrency == 0 {
		c.Concurrency = defaultConcurrency
	}
	return nil
}
