package signature

import (
	"errors"
	"fmt"
	"time"

	lru "k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

// Times of refusals.
const (
	// refusedFor is how long older answers count after a registry began to refuse access: that is an answer and no
	// outage, but credentials are sometimes renewed a little late.
	refusedFor = 5 * time.Minute
	// refusalMemory is how long it is remembered, from the last refusal on, when a registry began to refuse.
	refusalMemory = 24 * time.Hour
)

// refusals remember since when registries refuse access, by question. They are safe for concurrent use.
type refusals struct {
	clock clock.PassiveClock
	since *lru.LRUExpireCache
}

func newRefusals(c clock.Clock) *refusals {
	return &refusals{clock: c, since: lru.NewLRUExpireCacheWithClock(maxRecent, c)}
}

// note remembers the first of several refusals without an answer between them.
func (r *refusals) note(question string, err error) {
	var answered *registry.Error
	switch {
	case err == nil || isDefinite(err):
		r.since.Remove(question)
	case errors.As(err, &answered) && answered.Refuses():
		first := r.clock.Now()
		if known, found := r.since.Get(question); found {
			first = known.(time.Time)
		}
		r.since.Add(question, first, refusalMemory)
	}
}

// until returns when older answers count no longer; zero where the registry does not refuse.
func (r *refusals) until(question string) time.Time {
	if first, found := r.since.Get(question); found {
		return first.(time.Time).Add(refusedFor)
	}
	return time.Time{}
}

// over tells whether older answers count no longer.
func (r *refusals) over(question string) bool {
	until := r.until(question)
	return !until.IsZero() && !r.clock.Now().Before(until)
}

// bound says of the reason for an older answer how long that counts.
func (r *refusals) bound(question string, stale error) error {
	until := r.until(question)
	if stale == nil || until.IsZero() {
		return stale
	}
	return &refusedError{cause: stale, until: until}
}

// refusedError is the reason why an older answer is used, for minutes only.
type refusedError struct {
	cause error
	until time.Time
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("%v (access has been refused since %s, and older answers count for 5m from then)",
		e.cause, words(e.until.Add(-refusedFor)))
}

func (e *refusedError) Unwrap() error { return e.cause }

// counting returns until when an older answer counts, which a refusal may shorten.
func counting(stale error, until time.Time) time.Time {
	var refused *refusedError
	if errors.As(stale, &refused) && refused.until.Before(until) {
		return refused.until
	}
	return until
}
