package signature

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"golang.org/x/sync/singleflight"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// Defaults of Config.
const (
	defaultTimeout   = 9 * time.Second
	defaultCacheSize = 20_000
	defaultFreshFor  = time.Hour
	defaultStaleFor  = 24 * time.Hour
	defaultRetryTime = 3 * time.Second
)

// pullerLife bounds the age of the credentials that a puller keeps: registries hand out tokens for minutes.
const pullerLife = 5 * time.Minute

// Connecting to a registry takes longer than this only where nothing listens.
const dialTimeout = 3 * time.Second

// Config of a Verifier; every field may be zero.
type Config struct {
	// Keychain holds the credentials for registries; the Docker configuration of the process if nil.
	Keychain authn.Keychain
	// Transport to registries; http.DefaultTransport's settings with a shorter dial timeout if nil.
	Transport http.RoundTripper
	// Clock by which verdicts age; the real one if nil.
	Clock clock.PassiveClock
	// Timeout of asking a registry once; 9 s if zero. The callers' contexts bound only their own waiting.
	Timeout time.Duration
	// CacheSize in verdicts; 20,000 if zero.
	CacheSize int
	// FreshFor is how long a verified digest is not asked for again; 1 h if zero.
	FreshFor time.Duration
	// StaleFor is how long, after that, it still counts while the registry fails; 24 h if zero.
	StaleFor time.Duration
	// RetryAfter is how long every other outcome is kept; 3 s if zero.
	RetryAfter time.Duration
}

// Verifier implements the port of package admission. It is safe for concurrent use.
type Verifier struct {
	config  Config
	cache   *cache
	flights singleflight.Group

	mu     sync.Mutex
	puller *remote.Puller
	born   time.Time
}

// New returns a Verifier. It opens no connection.
func New(config Config) *Verifier {
	if config.Keychain == nil {
		config.Keychain = authn.DefaultKeychain
	}
	if config.Transport == nil {
		config.Transport = newTransport()
	}
	if config.Clock == nil {
		config.Clock = clock.RealClock{}
	}
	setDefault(&config.Timeout, defaultTimeout)
	setDefault(&config.CacheSize, defaultCacheSize)
	setDefault(&config.FreshFor, defaultFreshFor)
	setDefault(&config.StaleFor, defaultStaleFor)
	setDefault(&config.RetryAfter, defaultRetryTime)
	return &Verifier{config: config, cache: newCache(config)}
}

func setDefault[T int | time.Duration](value *T, otherwise T) {
	if *value <= 0 {
		*value = otherwise
	}
}

func newTransport() http.RoundTripper {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          100,
		MaxIdleConnsPerHost:   50,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   dialTimeout,
		ExpectContinueTimeout: time.Second,
	}
}

// Resolve returns the digest that a tag names now. Only its failures are remembered, for seconds. The
// error is image.ErrNotExist where the registry knows no such image.
func (v *Verifier) Resolve(ctx context.Context, _ image.Access, ref image.Reference) (image.Resolution, error) {
	if ref.Digest != "" {
		return image.Resolution{Digest: ref.Digest}, nil
	}
	key := "resolve " + ref.String()
	if err := v.cache.failure(key); err != nil {
		return image.Resolution{}, err
	}
	digest, err := once(ctx, v, key, ref.Registry, func(ctx context.Context) (string, error) {
		digest, err := v.head(ctx, ref)
		v.cache.setFailure(key, err)
		return digest, err
	})
	return image.Resolution{Digest: digest}, err
}

// head asks for a manifest's digest, with GET where the registry's answer to HEAD has none.
func (v *Verifier) head(ctx context.Context, ref image.Reference) (string, error) {
	tag, err := name.NewTag(ref.Name()+":"+ref.Tag, name.StrictValidation)
	if err != nil {
		return "", fmt.Errorf("reading image reference %q: %w", ref, err)
	}
	puller, err := v.currentPuller()
	if err != nil {
		return "", err
	}
	descriptor, err := puller.Head(ctx, tag)
	if err == nil {
		return descriptor.Digest.String(), nil
	}
	var answered *transport.Error
	var network net.Error
	if errors.As(err, &answered) || errors.As(err, &network) || ctx.Err() != nil {
		return "", explain(ref.Registry, err)
	}
	full, err := puller.Get(ctx, tag)
	if err != nil {
		return "", explain(ref.Registry, err)
	}
	return full.Digest.String(), nil
}

// Verify implements the port of package admission for ImagePolicies of keys.
func (v *Verifier) Verify(ctx context.Context, question proof.Question) (proof.Finding, error) {
	found, err := v.verifyKeys(ctx, question.Image, question.Requirement.ImagePolicy().Spec.Authorities)
	if err != nil {
		return proof.Finding{}, err
	}
	finding := proof.Finding{Outcome: proof.Outcome{Satisfied: found.Verified}}
	if !found.Verified {
		finding.Outcome.Reasons = []string{found.Reason}
	}
	return finding, nil
}

// verifyKeys says whether any one of the authorities signed the reference's digest. See the package's
// documentation for what is cached. An error means that nobody could tell.
func (v *Verifier) verifyKeys(ctx context.Context, ref image.Reference, authorities []v1alpha1.Authority) (image.Proof, error) {
	if ref.Digest == "" {
		return image.Proof{}, fmt.Errorf("verifying %q: it names no digest", ref)
	}
	signers, err := readAuthorities(authorities)
	if err != nil {
		return image.Proof{}, err
	}
	if proof, found := v.cache.proof(ref, signers, fresh); found {
		return proof, nil
	}
	key := "verify " + questionKey(ref, signers)
	err = v.cache.failure(key)
	if err == nil {
		var answer image.Proof
		answer, err = once(ctx, v, key, ref.Registry, func(ctx context.Context) (image.Proof, error) {
			return v.ask(ctx, key, ref, signers)
		})
		if err == nil {
			return answer, nil
		}
	}
	// The registry fails; that it has no such image is an answer.
	if !errors.Is(err, image.ErrNotExist) {
		if proof, found := v.cache.proof(ref, signers, stale); found {
			return proof, nil
		}
	}
	return image.Proof{}, err
}

// ask verifies without looking into the cache, and remembers the outcome.
func (v *Verifier) ask(ctx context.Context, key string, ref image.Reference, signers []signer) (image.Proof, error) {
	proof, err := v.verify(ctx, ref, signers)
	if err != nil {
		v.cache.setFailure(key, err)
		return image.Proof{}, err
	}
	v.cache.setProof(ref, signers, proof)
	return proof, nil
}

// once lets equal questions share one answer. The work goes on when the first to ask goes away; each
// waits for no longer than its own context.
func once[T any](ctx context.Context, v *Verifier, key, registry string, work func(context.Context) (T, error)) (T, error) {
	results := v.flights.DoChan(key, func() (answer any, err error) {
		// A registry's answer is read by other people's parsers: what they do not survive must not end the process.
		defer func() {
			if cause := recover(); cause != nil {
				err = fmt.Errorf("reading the answer of registry %q: %v", registry, cause)
			}
		}()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), v.config.Timeout)
		defer cancel()
		return work(ctx)
	})
	var none T
	select {
	case <-ctx.Done():
		return none, explain(registry, ctx.Err())
	case result := <-results:
		if result.Err != nil {
			return none, result.Err
		}
		return result.Val.(T), nil
	}
}

// currentPuller keeps connections and tokens of registries between requests.
func (v *Verifier) currentPuller() (*remote.Puller, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.config.Clock.Now()
	if v.puller != nil && now.Sub(v.born) < pullerLife {
		return v.puller, nil
	}
	puller, err := remote.NewPuller(
		remote.WithTransport(v.config.Transport),
		remote.WithAuthFromKeychain(v.config.Keychain),
		// The library's own backoff spends 4 s on a 503, half of what the API server waits.
		remote.WithRetryBackoff(remote.Backoff{Duration: 50 * time.Millisecond, Factor: 1, Steps: 2}),
		remote.WithUserAgent("rune"),
	)
	if err != nil {
		return nil, fmt.Errorf("preparing to ask registries: %w", err)
	}
	v.puller, v.born = puller, now
	return puller, nil
}
