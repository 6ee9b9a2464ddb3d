package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/lru"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// maxEndpoints bounds the registries that are remembered beside the configured ones: Pods name them.
const maxEndpoints = 256

// Client asks registries. It is safe for concurrent use.
type Client struct {
	config      Config
	settings    map[string]settings
	credentials *credentials
	// withoutMirrors asks the registries themselves only.
	withoutMirrors bool
	known          *endpoints
}

// endpoints are the registries that were asked lately.
type endpoints struct {
	mu   sync.Mutex
	kept *lru.Cache
}

// New returns a Client. It opens no connection; it reads the files of certificates that registries name.
func New(config Config) (*Client, error) {
	if err := config.complete(); err != nil {
		return nil, err
	}
	compiled, err := compile(config.Registries)
	if err != nil {
		return nil, fmt.Errorf("configuring the registry client: %w", err)
	}
	return &Client{
		config:   config,
		settings: compiled,
		credentials: &credentials{
			own: config.Keychain, secrets: config.Secrets, clock: config.Clock,
			timeout: config.RequestTimeout, kept: lru.New(maxKeychains),
		},
		known: &endpoints{kept: lru.NewWithEvictionFunc(maxEndpoints+len(compiled), func(_ lru.Key, value any) {
			value.(*endpoint).pool.CloseIdleConnections()
		})},
	}, nil
}

// Mirrored tells whether a registry has mirrors, so that what a mirror answered may be out of date.
func (c *Client) Mirrored(registry string) bool {
	return !c.withoutMirrors && len(c.settings[apiHost(registry)].mirrors) > 0
}

// WithoutMirrors returns a Client that shares everything with this one but asks no mirror: for a
// question whose answer must not be a mirror's.
func (c *Client) WithoutMirrors() *Client {
	direct := *c
	direct.withoutMirrors = true
	return &direct
}

// isPlain tells whether plain HTTP is allowed to a host with its port.
func (c *Client) isPlain(host string) bool {
	set, found := c.settings[host]
	if !found {
		set = c.settings[strings.TrimSuffix(host, httpsPort)]
	}
	if set.PlainHTTP {
		return set.asked == host
	}
	return isLoopback(host) && set.roots == nil && !set.SkipTLSVerify
}

func (c *Client) endpoint(host string) (*endpoint, error) {
	c.known.mu.Lock()
	defer c.known.mu.Unlock()
	if kept, found := c.known.kept.Get(host); found {
		return kept.(*endpoint), nil
	}
	made, err := newEndpoint(c, host)
	if err != nil {
		return nil, err
	}
	c.known.kept.Add(host, made)
	return made, nil
}

// route is one way to a repository.
type route struct {
	host       string
	repository string
	mirror     bool
}

func (c *Client) routes(ref image.Reference) []route {
	host := apiHost(ref.Registry)
	var all []route
	if !c.withoutMirrors {
		for _, m := range c.settings[host].mirrors {
			all = append(all, route{host: m.host, repository: m.prefix + ref.Repository, mirror: true})
		}
	}
	return append(all, route{host: host, repository: ref.Repository})
}

// errLacking says that a mirror does not have what was asked for, so that the next one is asked.
var errLacking = errors.New("lacks it")

// ask goes the ways to a reference until one leads to an answer. The registry itself comes last, and
// only its word counts for what there is not.
func ask[T any](ctx context.Context, c *Client, access Access, ref image.Reference, question func(context.Context, *session, bool) (T, error)) (T, error) {
	var none T
	if err := validate(ref); err != nil {
		return none, err
	}
	routes := c.routes(ref)
	var mirrors []string
	for i, way := range routes {
		answer, note, err := follow(ctx, c, access, way, len(routes)-i, question)
		if err == nil {
			return answer, nil
		}
		if !way.mirror {
			return none, withMirrors(explain(ref.Registry, note, err), mirrors)
		}
		if !isAbsent(err) && !errors.Is(err, errLacking) {
			mirrors = append(mirrors, explain(way.host, note, err).Error())
		}
	}
	return none, fmt.Errorf("asking registry %q: there is no way to it", ref.Registry)
}

// follow asks one way; ways is the number of those that are left, this one included.
func follow[T any](ctx context.Context, c *Client, access Access, way route, ways int, question func(context.Context, *session, bool) (T, error)) (answer T, note string, err error) {
	// A mirror that hangs must leave time for the registry.
	if deadline, bounded := ctx.Deadline(); bounded && ways > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(ways))
		defer cancel()
	}
	e, err := c.endpoint(way.host)
	if err != nil {
		return answer, "", err
	}
	answer, note, err = inquire(ctx, e, access, way, question)
	if isRefusal(statusOf(err)) && c.credentials.refused(access) {
		return inquire(ctx, e, access, way, question)
	}
	return answer, note, err
}

// inquire asks once, with the credentials that are known.
func inquire[T any](ctx context.Context, e *endpoint, access Access, way route, question func(context.Context, *session, bool) (T, error)) (answer T, note string, err error) {
	s, err := e.session(ctx, access, way.repository)
	if err != nil {
		var begun *sessionError
		if !errors.As(err, &begun) {
			begun = &sessionError{err: err}
		}
		return answer, begun.note, begun
	}
	answer, err = question(ctx, s, way.mirror)
	return answer, s.note, err
}

// withMirrors adds what the mirrors said, for the person who thinks that they answer.
func withMirrors(err error, mirrors []string) error {
	var failed *Error
	if len(mirrors) == 0 || !errors.As(err, &failed) {
		return err
	}
	failed.Cause += "; its mirrors did not help: " + strings.Join(mirrors, "; ")
	return failed
}

// validate keeps references that no parser made from becoming other requests.
func validate(ref image.Reference) error {
	parsed, err := image.Parse(ref.String())
	if err != nil {
		return err
	}
	if parsed != ref {
		return fmt.Errorf("reading image reference %q: it is not in its normal form", ref)
	}
	return nil
}
