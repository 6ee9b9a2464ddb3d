package registry

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"k8s.io/utils/clock"
)

// maxQuotas of one registry that are remembered: one for each session, also after its end.
const maxQuotas = 2 * maxSessions

// pings is the name of the quota of what is asked without credentials and of no repository.
const pings = "ping"

// quota is what a registry lets one asker ask of one repository. Registries count requests by
// credentials, and whoever owns a repository may make it answer that there were too many: neither says
// anything about other askers and other repositories.
type quota struct {
	clock clock.Clock
	// breaker counts refusals for there being too many requests, for registries that do not say when to
	// come again.
	breaker *breaker
	// repository that is asked; nil where it is the registry itself.
	repository *repository

	mu sync.Mutex
	// notBefore is set by the registry's Retry-After.
	notBefore time.Time
}

// quota returns the one of a name, which outlives the sessions under that name.
func (e *endpoint) quota(name string, repository *repository) *quota {
	e.mu.Lock()
	defer e.mu.Unlock()
	if kept, found := e.quotas.Get(name); found {
		return kept.(*quota)
	}
	made := &quota{clock: e.clock, breaker: &breaker{clock: e.clock}, repository: repository}
	e.quotas.Add(name, made)
	return made
}

// throttledError says that the registry asked to be left alone.
type throttledError struct {
	retryAfter time.Duration
	cause      error
}

func (e *throttledError) Error() string { return "left alone: " + e.cause.Error() }

func (e *throttledError) Unwrap() error { return e.cause }

// waitForLeave honours an earlier Retry-After: by waiting if that is short, else by an error.
func (q *quota) waitForLeave(ctx context.Context, cause error) error {
	q.mu.Lock()
	remaining := q.notBefore.Sub(q.clock.Now())
	q.mu.Unlock()
	if remaining <= 0 {
		return nil
	}
	if cause == nil {
		cause = &transport.Error{StatusCode: http.StatusTooManyRequests}
	}
	deadline, bounded := ctx.Deadline()
	if remaining > retryPatience || (bounded && time.Until(deadline) <= remaining) {
		return &throttledError{retryAfter: remaining, cause: cause}
	}
	if err := sleep(ctx, q.clock, remaining); err != nil {
		return errors.Join(err, cause)
	}
	return nil
}

func (q *quota) leaveAlone(wanted time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if until := q.clock.Now().Add(wanted); until.After(q.notBefore) {
		q.notBefore = until
	}
}

// allow returns what must be told how the exchange ended, or why there is to be none.
func (q *quota) allow() (settle func(outcome, error), err error) {
	own, err := q.breaker.allow()
	if err != nil {
		return nil, err
	}
	var shared ticket
	if q.repository != nil {
		if shared, err = q.repository.breaker.allow(); err != nil {
			q.breaker.done(own, unknown, nil)
			return nil, err
		}
	}
	return func(result outcome, cause error) {
		q.breaker.done(own, judgeQuota(cause), cause)
		if q.repository != nil {
			q.repository.breaker.done(shared, result, cause)
		}
	}, nil
}

// judgeQuota says what an exchange tells of the asker's quota.
func judgeQuota(err error) outcome {
	switch status := statusOf(err); {
	case status == http.StatusTooManyRequests:
		return failing
	case err == nil, status != 0:
		return healthy
	}
	return unknown
}

func sleep(ctx context.Context, c clock.Clock, pause time.Duration) error {
	timer := c.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
