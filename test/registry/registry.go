package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"k8s.io/apimachinery/pkg/util/wait"
)

// Options of a Registry.
type Options struct {
	// Referrers tells whether the referrers API is there; without it, clients use the fallback tag.
	Referrers bool
}

// Registry is a running registry on loopback, spoken to in plain HTTP.
type Registry struct {
	host      string
	referrers bool
	content   http.Handler
	requests  requests

	// tags is held while a tag is read and written anew.
	tags sync.Mutex

	mu       sync.Mutex
	server   *http.Server
	served   chan error
	fault    Fault
	latency  time.Duration
	released chan struct{} // closed when hanging requests are let go
	replaced map[string]http.Handler
}

// Start starts a registry that is empty and well.
func Start(ctx context.Context, options Options) (*Registry, error) {
	r := &Registry{
		content: registry.New(registry.WithReferrersSupport(options.Referrers), registry.Logger(log.New(io.Discard, "", 0))),
		host:    "127.0.0.1:0", referrers: options.Referrers, replaced: map[string]http.Handler{}, released: make(chan struct{}),
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.serve(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// Host is the registry's address, as references name it.
func (r *Registry) Host() string { return r.host }

// Close stops the registry for good.
func (r *Registry) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stop()
}

// serve listens at the registry's address, the same each time. Something else may hold the port for a
// moment: the near end of a connection that is going away.
func (r *Registry) serve(ctx context.Context) error {
	var listener net.Listener
	var last error
	err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 10*time.Second, true, func(ctx context.Context) (bool, error) {
		listener, last = (&net.ListenConfig{}).Listen(ctx, "tcp", r.host)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("listening on %s: %w", r.host, errors.Join(err, last))
	}
	if strings.HasSuffix(r.host, ":0") { // once: the address never changes
		r.host = listener.Addr().String()
	}
	r.server = &http.Server{
		Handler: http.HandlerFunc(r.answer), ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
	}
	r.served = make(chan error, 1)
	go func(server *http.Server, served chan<- error) { served <- server.Serve(listener) }(r.server, r.served)
	return nil
}

// stop closes the port and every connection.
func (r *Registry) stop() error {
	if r.server == nil {
		return nil
	}
	err := r.server.Close()
	if ended := <-r.served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	r.server = nil
	if err != nil {
		return fmt.Errorf("stopping the registry at %s: %w", r.host, err)
	}
	return nil
}

// Replace has requests whose path ends in a text answered by a handler of the test; nil takes that back.
func (r *Registry) Replace(suffix string, handler http.Handler) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if handler == nil {
		delete(r.replaced, suffix)
		return
	}
	r.replaced[suffix] = handler
}

// Content is the registry itself, behind the switch, for handlers that answer in part.
func (r *Registry) Content() http.Handler { return r.content }

// handler returns what answers a path.
func (r *Registry) handler(path string) http.Handler {
	r.mu.Lock()
	defer r.mu.Unlock()
	for suffix, handler := range r.replaced {
		if strings.HasSuffix(path, suffix) {
			return handler
		}
	}
	return r.content
}
