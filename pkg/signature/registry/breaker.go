package registry

import (
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// When a registry or a repository is left alone, and for how long.
const (
	failuresToOpen = 3
	firstPause     = time.Second
	longestPause   = 30 * time.Second
)

// outcome is what an exchange says of a registry's health.
type outcome int

const (
	// unknown: the asker went away before the registry could answer.
	unknown outcome = iota
	// healthy: it answered, whatever the answer was.
	healthy
	// failing: it could not be reached, took too long or failed.
	failing
)

// breaker keeps askers away from what fails, so that they learn it at once instead of waiting for it, and so that it is
// not held down by them. While it is open, one probe at a time goes through after each pause.
type breaker struct {
	clock clock.PassiveClock
	// forgets is set where it is closed again after a short pause, without a probe: what is asked differs so much that
	// one answer says little of the next. One image of a repository may be broken, and another one new.
	forgets bool

	mu       sync.Mutex
	failures int
	pause    time.Duration
	until    time.Time
	probing  bool
	cause    error
}

// ticket is the right to ask once; it must be given back with the outcome.
type ticket struct{ probe bool }

// pausedError says that a registry was not asked.
type pausedError struct {
	// remaining is zero while a probe is in flight.
	remaining time.Duration
	cause     error
}

func (e *pausedError) Error() string { return "not asked after failures: " + e.cause.Error() }

func (e *pausedError) Unwrap() error { return e.cause }

func (b *breaker) allow() (ticket, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until.IsZero() {
		return ticket{}, nil
	}
	if remaining := b.until.Sub(b.clock.Now()); remaining > 0 || b.probing {
		return ticket{}, &pausedError{remaining: max(remaining, 0), cause: b.cause}
	}
	if b.forgets {
		b.close()
		return ticket{}, nil
	}
	b.probing = true
	return ticket{probe: true}, nil
}

func (b *breaker) done(t ticket, result outcome, cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t.probe {
		b.probing = false
	}
	open := !b.until.IsZero()
	switch {
	case result == unknown:
	case result == healthy:
		b.close()
	case !open:
		b.failures++
		if b.failures >= failuresToOpen {
			b.leave(firstPause, cause)
		}
	case t.probe:
		b.leave(min(2*b.pause, longestPause), cause)
	}
	// Requests that began before it opened and failed since say nothing new.
}

// open keeps askers away at once, whatever was counted.
func (b *breaker) open(cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until.IsZero() {
		b.leave(firstPause, cause)
	}
}

func (b *breaker) isOpen() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.until.IsZero()
}

func (b *breaker) close() { b.failures, b.pause, b.until, b.cause = 0, 0, time.Time{}, nil }

func (b *breaker) leave(pause time.Duration, cause error) {
	b.pause, b.cause = pause, cause
	b.until = b.clock.Now().Add(pause)
}
