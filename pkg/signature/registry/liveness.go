package registry

import (
	"context"
	"errors"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// suspicionEvery bounds how often a registry is pinged because something of it failed.
const suspicionEvery = time.Second

// registryError is a failure of the registry itself and not only of one of its repositories: it cannot be connected to,
// or does not even answer a ping.
type registryError struct{ err error }

func (e *registryError) Error() string { return e.err.Error() }

func (e *registryError) Unwrap() error { return e.err }

// Ping asks a registry itself, and none of its mirrors, whether it is there, also while it is left alone. If it is, it
// is asked again at once. The error is as those of all questions.
func (c *Client) Ping(ctx context.Context, registry string) error {
	e, err := c.endpoint(apiHost(registry))
	if err != nil {
		return err
	}
	_, err = fly(ctx, e, "knock", func(ctx context.Context) (struct{}, error) {
		err := e.knock(ctx)
		if err == nil {
			e.breaker.done(ticket{}, healthy, nil)
		}
		return struct{}{}, err
	})
	return explain(registry, "", err)
}

// knock pings, whatever is known of the registry and however many ask it. Any answer but a failure is one: that it wants
// credentials, or has no such page, or is asked too much.
func (e *endpoint) knock(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, e.client.config.RequestTimeout)
	defer cancel()
	_, err := transport.Ping(bounded, e.registry, e.connections)
	if err == nil || judge(err) == healthy {
		return nil
	}
	if bounded.Err() != nil && statusOf(err) == 0 {
		err = errors.Join(bounded.Err(), err)
	}
	return &registryError{err: err}
}

// alive returns an error where the registry is left alone. When its time is over, the first to come pings it: never
// with a question of its own, whose failure may be that of one repository.
func (e *endpoint) alive(ctx context.Context) error {
	permit, err := e.breaker.allow()
	if err != nil {
		return &registryError{err: err}
	}
	if !permit.probe {
		return nil
	}
	_, err = fly(ctx, e, "revive", func(ctx context.Context) (none struct{}, err error) {
		result, cause := failing, errors.New("reading the answer to a ping")
		defer func() { e.breaker.done(permit, result, cause) }()
		if cause = e.knock(ctx); cause == nil {
			result = healthy
		}
		return none, cause
	})
	return err
}

// learn notes what an exchange with a repository says of the registry. Only its own silence keeps others from it; a
// failure of one repository is a reason to ask whether it is there.
func (e *endpoint) learn(ctx context.Context, result outcome, err error, seen *trace) error {
	switch {
	case result == failing && seen.unconnected.Load():
		e.breaker.done(ticket{}, failing, err)
		return &registryError{err: err}
	case result == failing && seen.wanted() == 0:
		e.suspect(ctx)
	case result == healthy && seen.connected.Load():
		e.breaker.done(ticket{}, healthy, nil)
	}
	return err
}

// suspect pings the registry in the background, and leaves it alone at once if that fails too.
func (e *endpoint) suspect(ctx context.Context) {
	if e.breaker.isOpen() || !e.beginSuspecting() {
		return
	}
	ctx = context.WithoutCancel(ctx)
	go func() {
		defer e.endSuspecting()
		_, err := fly(ctx, e, "suspect", func(ctx context.Context) (struct{}, error) {
			return struct{}{}, e.knock(ctx)
		})
		if err != nil {
			e.breaker.open(err)
			return
		}
		e.breaker.done(ticket{}, healthy, nil)
	}()
}

func (e *endpoint) beginSuspecting() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.clock.Now()
	if e.suspecting || now.Sub(e.suspectedAt) < suspicionEvery {
		return false
	}
	e.suspecting, e.suspectedAt = true, now
	return true
}

func (e *endpoint) endSuspecting() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.suspecting = false
}
