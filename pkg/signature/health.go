package signature

import (
	"context"
	"errors"
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
	// probeInterval bounds how often a failing source is asked while nobody waits for it; who asks on their own do so
	// ever less often, up to maxProbeInterval.
	probeInterval    = time.Second
	maxProbeInterval = 4 * time.Second
	// probeFor is how long a failing source is asked on after somebody wanted to know.
	probeFor = time.Minute
	// maxProbers ask at the same time.
	maxProbers = 32
	// maxSources that are remembered.
	maxSources = 1024
)

// health remembers which sources have just failed. It is safe for concurrent use.
type health struct {
	clock clock.PassiveClock

	mu       sync.Mutex
	failures map[string]failure
	// probers counts those that began, so that each has a number, and probing those under way.
	probers, probing int
}

type failure struct {
	cause        error
	at, probedAt time.Time
	// wantedAt is when somebody last wanted to know.
	wantedAt time.Time
	// prober is the number of who asks until the source answers; zero if nobody does.
	prober int
}

// current tells whether a failure is what is known of its source.
func (f *failure) current(now time.Time) bool { return f.prober != 0 || now.Sub(f.at) < failureMemory }

func newHealth(c clock.PassiveClock) *health {
	return &health{clock: c, failures: map[string]failure{}}
}

// failing returns why a source fails, or nil.
func (h *health) failing(source string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	known, found := h.failures[source]
	now := h.clock.Now()
	if !found || !known.current(now) {
		return nil
	}
	known.wantedAt = now
	h.failures[source] = known
	return known.cause
}

// beginProbing returns the number of a new prober of a failing source, or zero where there is one or are too many.
func (h *health) beginProbing(source string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	known, found := h.failures[source]
	if !found || known.prober != 0 || h.probing >= maxProbers {
		return 0
	}
	h.probers++
	h.probing++
	known.prober = h.probers
	h.failures[source] = known
	return known.prober
}

// goesOnProbing tells whether a prober is still needed. It must not be asked again once it was not.
func (h *health) goesOnProbing(source string, prober int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	known, found := h.failures[source]
	if found && known.prober == prober {
		if since(h.clock, known.wantedAt) < probeFor {
			return true
		}
		known.prober = 0
		h.failures[source] = known
	}
	h.probing--
	return false
}

// mayAsk tells whether it is time to ask a source for which nobody waits: always, unless it fails.
func (h *health) mayAsk(source string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	known, found := h.failures[source]
	now := h.clock.Now()
	if !found || !known.current(now) {
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
			if !known.current(now) {
				delete(h.failures, name)
			}
		}
	}
	known, found := h.failures[source]
	if !found && len(h.failures) >= maxSources {
		return
	}
	if !found || !known.current(now) {
		known.probedAt, known.wantedAt = now, now
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
// credentials are refused or have asked too much does not, nor that an answer cannot be used.
func concernsAll(err error) bool {
	var answered *registry.Error
	if errors.As(err, &answered) {
		return answered.ConcernsAll()
	}
	return errors.Is(err, context.DeadlineExceeded)
}
