package signature

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

// Times of health.
const (
	// failureMemory is how long a source counts as failing after it was last seen to: whoever has an older answer
	// does not wait for it in this time.
	failureMemory = 5 * time.Second
	// probeInterval bounds how often a failing source is asked by those who do not wait.
	probeInterval = time.Second
	// maxSources that are remembered.
	maxSources = 1024
)

// health remembers which sources have just failed. It is safe for concurrent use.
type health struct {
	clock clock.PassiveClock

	mu       sync.Mutex
	failures map[string]failure
}

type failure struct {
	cause        error
	at, probedAt time.Time
}

func newHealth(c clock.PassiveClock) *health {
	return &health{clock: c, failures: map[string]failure{}}
}

// failing returns why a source failed in the last seconds, or nil.
func (h *health) failing(source string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if known, found := h.failures[source]; found && since(h.clock, known.at) < failureMemory {
		return known.cause
	}
	return nil
}

// mayAsk tells whether it is time to ask a source for which nobody waits: always, unless it fails.
func (h *health) mayAsk(source string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	known, found := h.failures[source]
	now := h.clock.Now()
	if !found || now.Sub(known.at) >= failureMemory {
		return true
	}
	if now.Sub(known.probedAt) < probeInterval {
		return false
	}
	known.probedAt = now
	h.failures[source] = known
	return true
}

func (h *health) failed(source string, cause error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.clock.Now()
	if len(h.failures) >= maxSources {
		for name, known := range h.failures {
			if now.Sub(known.at) >= failureMemory {
				delete(h.failures, name)
			}
		}
	}
	known, found := h.failures[source]
	if !found && len(h.failures) >= maxSources {
		return
	}
	if !found || now.Sub(known.at) >= failureMemory {
		known.probedAt = now
	}
	known.cause, known.at = cause, now
	h.failures[source] = known
}

func (h *health) answered(source string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.failures, source)
}

// concernsAll tells whether a failure says something about the next question to the same registry too. That these
// credentials are refused does not, nor that an answer cannot be read.
func concernsAll(err error) bool {
	var answered *registry.Error
	if errors.As(err, &answered) {
		return answered.Status == 0 || answered.Status == http.StatusTooManyRequests || answered.Status >= http.StatusInternalServerError
	}
	return errors.Is(err, context.DeadlineExceeded)
}
