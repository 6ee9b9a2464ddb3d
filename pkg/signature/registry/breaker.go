package registry

import (
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// When a registry is left alone, and for how long.
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

// breaker keeps askers away from a registry that fails, so that they learn it at once instead of
// waiting for it, and so that the registry is not held down by them. While it is open, one probe at a
// time goes through after each pause.
type breaker struct {
	clock clock.PassiveClock

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
		b.failures, b.pause, b.until, b.cause = 0, 0, time.Time{}, nil
	case !open:
		b.failures++
		if b.failures >= failuresToOpen {
			b.pause, b.cause = firstPause, cause
			b.until = b.clock.Now().Add(b.pause)
		}
	case t.probe:
		b.pause, b.cause = min(2*b.pause, longestPause), cause
		b.until = b.clock.Now().Add(b.pause)
	}
	// Requests that began before it opened and failed since say nothing new.
}
