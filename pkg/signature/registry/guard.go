package registry

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"k8s.io/utils/clock"
)

// longestRetryAfter bounds what a registry can ask for: one that says “in a year” is asked again sooner.
const longestRetryAfter = 10 * time.Minute

// guard is the lowest layer above the connections to one registry: every request passes it, those of
// the authentication and of redirects too. It holds the rules that must never be broken whoever builds
// the request.
type guard struct {
	inner http.RoundTripper
	// host of the registry, with port.
	host string
	// plain tells whether plain HTTP is allowed to a host.
	plain func(host string) bool
	// onlyPlain is set where the configuration says that the registry speaks nothing else.
	onlyPlain bool
	clock     clock.PassiveClock
	observe   func(Request)
	userAgent string
}

// RoundTrip refuses plain HTTP where it is not allowed, counts, and notes what the registry asks for.
func (g *guard) RoundTrip(request *http.Request) (*http.Response, error) {
	switch {
	case request.URL.Scheme == "http" && !(g.plain(g.host) && g.plain(request.URL.Host)):
		return nil, fmt.Errorf("plain HTTP to %q is not allowed: it must be listed with plainHTTP in the registry configuration", request.URL.Host)
	case request.URL.Scheme == "https" && g.onlyPlain && request.URL.Host == g.host:
		return nil, fmt.Errorf("registry %q is configured to speak plain HTTP", g.host)
	}
	request = request.Clone(request.Context())
	request.Header.Set("User-Agent", g.userAgent)
	began := g.clock.Now()
	noted, note := noteConnection(request, g.host)
	response, err := g.inner.RoundTrip(noted)
	note(err)
	seen := Request{Registry: g.host, Kind: g.kind(request), Duration: g.clock.Since(began)}
	if err == nil {
		seen.Status = response.StatusCode
		noteRetryAfter(request.Context(), g.clock, response)
	}
	g.observe(seen)
	return response, err
}

// kind reads off a request what it is for.
func (g *guard) kind(request *http.Request) Kind {
	path := request.URL.Path
	switch {
	case request.URL.Host != g.host && strings.Contains(request.URL.RawQuery, "scope="):
		return KindToken
	case request.URL.Host != g.host:
		return KindRedirect
	case path == "/v2/":
		return KindPing
	case strings.Contains(path, "/manifests/") && request.Method == http.MethodHead:
		return KindHead
	case strings.Contains(path, "/manifests/"):
		return KindManifest
	case strings.Contains(path, "/referrers/"):
		return KindReferrers
	case strings.Contains(path, "/blobs/"):
		return KindBlob
	}
	return KindToken
}

// trace is what the guard tells those who asked, through the layers between.
type trace struct {
	mu         sync.Mutex
	retryAfter time.Duration
	// connected is set where the registry's own host could be connected to, and unconnected where it could not: not
	// for want of the asker's time, and not that of another host to which it redirects.
	connected, unconnected atomic.Bool
}

// noteConnection returns a request that notes whether the registry's host can be connected to, and what is to be called
// with the end of it.
func noteConnection(request *http.Request, host string) (noted *http.Request, note func(error)) {
	ctx := request.Context()
	t, ok := ctx.Value(traceKey{}).(*trace)
	if !ok || request.URL.Host != host {
		return request, func(error) {}
	}
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	return request.WithContext(ctx), func(err error) {
		t.connected.Store(connected.Load())
		t.unconnected.Store(err != nil && !connected.Load() && ctx.Err() == nil)
	}
}

type traceKey struct{}

func withTrace(ctx context.Context) (context.Context, *trace) {
	t := &trace{}
	return context.WithValue(ctx, traceKey{}, t), t
}

func (t *trace) wanted() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.retryAfter
}

func noteRetryAfter(ctx context.Context, clock clock.PassiveClock, response *http.Response) {
	t, ok := ctx.Value(traceKey{}).(*trace)
	if !ok || (response.StatusCode != http.StatusTooManyRequests && response.StatusCode != http.StatusServiceUnavailable) {
		return
	}
	wanted := parseRetryAfter(response.Header.Get("Retry-After"), clock.Now())
	t.mu.Lock()
	defer t.mu.Unlock()
	t.retryAfter = max(t.retryAfter, wanted)
}

// parseRetryAfter reads both forms of RFC 9110, section 10.2.3; what is neither is no wish.
func parseRetryAfter(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	if whole, err := strconv.ParseUint(text, 10, 64); err == nil {
		if whole > uint64(longestRetryAfter/time.Second) {
			return longestRetryAfter
		}
		return time.Duration(whole) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), longestRetryAfter)
}

// isLoopback tells whether a host (with or without port) is this machine by its very name. Addresses
// of private networks are other machines.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

// refuseLinkLocal keeps registries from sending us to the metadata service of a cloud, which answers
// whoever asks from this machine. No registry lives there.
func refuseLinkLocal(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("reading address %q: %w", address, err)
	}
	parsed, err := netip.ParseAddr(host)
	if err != nil {
		return fmt.Errorf("reading address %q: %w", address, err)
	}
	if parsed.Unmap().IsLinkLocalUnicast() {
		return fmt.Errorf("the link-local address %s is no registry's", host)
	}
	return nil
}
