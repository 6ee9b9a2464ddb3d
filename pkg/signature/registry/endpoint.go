package registry

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"golang.org/x/sync/singleflight"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"
)

const (
	// dialTimeout is more than connecting takes, except where nothing listens.
	dialTimeout = 3 * time.Second
	// maxHeader bounds the header of an answer, in bytes.
	maxHeader = 256 << 10
	// maxTries of one request, and the pause before the next.
	maxTries   = 2
	retryPause = 50 * time.Millisecond
	// patience is how long a registry's Retry-After is waited for, and how long a registry must have
	// been silent to be blamed for an asker's own short deadline.
	retryPatience = 2 * time.Second
	blamePatience = time.Second
	// maxSessions kept for one registry: one for each repository and access.
	maxSessions = 1024
)

// endpoint is one registry or mirror: its connections, its health, and the sessions with it.
type endpoint struct {
	client   *Client
	registry name.Registry
	// connections is the guarded transport, without authentication.
	connections http.RoundTripper
	pool        *http.Transport
	// breaker is of the registry itself; each repository has its own.
	breaker      *breaker
	repositories *repositories
	slots        chan struct{}
	flights      singleflight.Group
	// referrersAPI is where it was seen to lack.
	referrersAPI *referrersAPI
	clock        clock.Clock

	mu       sync.Mutex
	sessions *lru.Cache
	// challenge is how the registry wants to be asked, as of asked.
	challenge *transport.Challenge
	asked     time.Time
	// quotas of those who ask, by the name of their session.
	quotas *lru.Cache
	// suspecting is set while it is pinged because something of it failed, last at suspectedAt.
	suspecting  bool
	suspectedAt time.Time
}

func newEndpoint(c *Client, host string) (*endpoint, error) {
	set := c.settings[host]
	asked := cmp.Or(set.asked, host)
	options := []name.Option{}
	if c.isPlain(asked) {
		options = append(options, name.Insecure)
	}
	registry, err := name.NewRegistry(asked, options...)
	if err != nil {
		return nil, fmt.Errorf("reading registry host %q: %w", host, err)
	}
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second, Control: refuseLinkLocal}
	pool := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           2 * c.config.Concurrency,
		MaxIdleConnsPerHost:    c.config.Concurrency,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    dialTimeout,
		MaxResponseHeaderBytes: maxHeader,
		// A connection that went dead without a word must not be used for ever.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: dialTimeout},
		TLSClientConfig: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			RootCAs:            set.roots,
			InsecureSkipVerify: set.SkipTLSVerify,
		},
	}
	e := &endpoint{
		client:   c,
		registry: registry,
		pool:     pool,
		connections: &guard{
			inner: pool, host: registry.RegistryStr(), plain: c.isPlain, onlyPlain: set.PlainHTTP,
			clock: c.config.Clock, observe: c.config.Observe, userAgent: c.config.UserAgent,
		},
		breaker:  &breaker{clock: c.config.Clock},
		slots:    make(chan struct{}, c.config.Concurrency),
		clock:    c.config.Clock,
		sessions: lru.New(maxSessions),
		quotas:   lru.New(maxQuotas),

		referrersAPI: newReferrersAPI(c.config.Clock),
	}
	e.repositories = newRepositories(e)
	return e, nil
}

// exchange lets work ask the registry within a quota, again where that may help. Each try is bounded by the time of a
// request; work must not return before it has read the whole answer.
func (e *endpoint) exchange(ctx context.Context, q *quota, work func(context.Context) error) error {
	backoff := wait.Backoff{Duration: retryPause, Steps: maxTries - 1}
	var cause error
	for {
		if err := q.waitForLeave(ctx, cause); err != nil {
			return err
		}
		wanted, err := e.try(ctx, q, work)
		if err == nil {
			return nil
		}
		cause = err
		if wanted > 0 {
			q.leaveAlone(wanted)
		}
		if backoff.Steps == 0 || (wanted == 0 && !isPassing(err)) {
			if wanted > 0 {
				return &throttledError{retryAfter: wanted, cause: err}
			}
			return err
		}
		pause := backoff.Step()
		if wanted == 0 && sleep(ctx, e.clock, pause) != nil {
			return err
		}
	}
}

// try asks once, and returns what the registry said in Retry-After.
func (e *endpoint) try(ctx context.Context, q *quota, work func(context.Context) error) (time.Duration, error) {
	if err := e.alive(ctx); err != nil {
		return 0, err
	}
	leave, err := e.enter(ctx, q.repository)
	if err != nil {
		return 0, err
	}
	defer leave()
	settle, err := q.allow()
	if err != nil {
		return 0, err
	}
	began := e.clock.Now()
	bounded, cancel := context.WithTimeout(ctx, e.client.config.RequestTimeout)
	defer cancel()
	traced, seen := withTrace(bounded)
	err = work(traced)
	// A body that is cut off by the time bound fails in many words.
	if err != nil && bounded.Err() != nil && statusOf(err) == 0 && !errors.As(err, new(*answerError)) {
		err = errors.Join(bounded.Err(), err)
	}
	if isTimeout(err) {
		e.pool.CloseIdleConnections()
	}
	result := judge(err)
	if result == failing && ctx.Err() != nil && e.clock.Since(began) < blamePatience {
		result = unknown
	}
	settle(result, err)
	switch {
	case q.repository != nil:
		err = e.learn(ctx, result, err, seen)
	default:
		e.breaker.done(ticket{}, result, err)
		if result == failing {
			err = &registryError{err: err}
		}
	}
	if err == nil {
		return 0, nil
	}
	return seen.wanted(), err
}
