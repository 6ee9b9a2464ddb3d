package readiness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// Condition is something that becomes true of a cluster that comes up.
type Condition struct {
	// Name says what is waited for: "the node is ready".
	Name string
	// Component is to blame if it does not come.
	Component string
	// Check returns nil when the condition holds. It may do its part to bring
	// it about, and is called again until it does.
	Check func(ctx context.Context) error
	// Timeout bounds one call of Check, 0 means 5 s.
	Timeout time.Duration
}

// Unmet is the error for a condition that did not come about.
type Unmet struct {
	Condition Condition
	// After is how long was waited.
	After time.Duration
	// Last is what the last check said.
	Last error
	// Cause is why the wait ended.
	Cause error
}

// Error says what was waited for, for how long, and what was seen last.
func (u *Unmet) Error() string {
	return fmt.Sprintf("waiting until %s: gave up after %s (%v): %v", u.Condition.Name, u.After.Round(time.Second), u.Cause, u.Last)
}

// Unwrap returns why the wait ended.
func (u *Unmet) Unwrap() error { return u.Cause }

// errBound is why a wait ends that has lasted too long.
var errBound = errors.New("the time allowed is over")

const (
	interval     = 100 * time.Millisecond
	checkTimeout = 5 * time.Second
)

// Wait waits for the conditions in turn, for at most bound together, and stops
// when ctx ends. An *Unmet error names the condition.
func Wait(ctx context.Context, bound time.Duration, conditions []Condition) error {
	ctx, cancel := context.WithTimeoutCause(ctx, bound, errBound)
	defer cancel()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for _, condition := range conditions {
		began := time.Now()
		for {
			last := check(ctx, condition)
			if last == nil {
				break
			}
			select {
			case <-ctx.Done():
				return &Unmet{Condition: condition, After: time.Since(began), Last: last, Cause: context.Cause(ctx)}
			case <-tick.C:
			}
		}
	}
	return nil
}

func check(ctx context.Context, condition Condition) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(condition.Timeout, checkTimeout))
	defer cancel()
	return condition.Check(ctx)
}
