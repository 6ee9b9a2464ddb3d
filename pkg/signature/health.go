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

// health remembers which sources, and which parts of them, have just failed or been slow. It is safe for concurrent use.
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
	// slow is set where it may still answer.
	slow bool
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

// failing returns why a source or a part of it fails, or nil. For the patient, slowness is none.
func (h *health) failing(source, place string, patient bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.clock.Now()
	for _, name := range []string{source, place} {
		known, found := h.failures[name]
		if !found || !known.current(now) || (patient && known.slow) {
			continue
		}
		known.wantedAt = now
		h.failures[name] = known
		return known.cause
	}
	return nil
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

// failed notes that a source or a part fails.
func (h *health) failed(source string, cause error) { h.note(source, cause, false) }

// slow notes that a source or a part has not answered yet. One that failed before is still failing then.
func (h *health) slow(source string, cause error) { h.note(source, cause, true) }

func (h *health) note(source string, cause error, slow bool) {
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
	if slow && found && known.current(now) && !known.slow {
		cause, slow = known.cause, false
	}
	known.cause, known.at, known.slow = cause, now, slow
	h.failures[source] = known
}

// answered forgets the failures of sources and parts.
func (h *health) answered(names ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range names {
		delete(h.failures, name)
	}
}

// concerns tells whether a failure says something about the next question to the same registry, or to the same
// repository. That these credentials are refused or have asked too much does not, nor that an answer cannot be used.
func concerns(err error) (all, part bool) {
	var answered *registry.Error
	if errors.As(err, &answered) {
		return answered.ConcernsAll(), answered.ConcernsRepository()
	}
	return false, errors.Is(err, context.DeadlineExceeded)
}
