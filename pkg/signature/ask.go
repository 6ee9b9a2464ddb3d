package signature

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	lru "k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/signature/verification"
)

// Bounds of what is asked.
const (
	// maxRecent outcomes that are kept for seconds.
	maxRecent = 10_000
	// maxBackground questions under way for which nobody waits.
	maxBackground = 8
	// elsewhereTimeout bounds looking up what other processes know.
	elsewhereTimeout = time.Second
)

// desk lets equal questions share one answer, and remembers for seconds what was no lasting fact.
type desk struct {
	// timeout of finding one answer. The askers' contexts bound only their own waiting.
	timeout time.Duration
	// patience is how long an asker waits who could do with what was known before.
	patience time.Duration
	// retryAfter is how long a failure or a negative answer is not asked for again.
	retryAfter time.Duration

	flights singleflight.Group
	// running are the keys of the flights under way.
	running    sync.Map
	recent     *lru.LRUExpireCache
	health     *health
	refusals   *refusals
	background chan struct{}
}

func newDesk(config *Config) *desk {
	return &desk{
		timeout: config.Timeout, patience: config.Patience, retryAfter: config.RetryAfter,
		recent:     lru.NewLRUExpireCacheWithClock(maxRecent, config.Clock),
		health:     newHealth(config.Clock),
		refusals:   newRefusals(config.Clock),
		background: make(chan struct{}, maxBackground),
	}
}

// inquiry is one question and the ways to its answer.
type inquiry[T any] struct {
	// key is equal for equal questions.
	key string
	// source that is asked, as messages name it: `registry "r.local"`.
	source string
	// part of the source that is asked, whose failures are no others'; empty if there are no parts: a repository.
	part string
	// alive asks the source itself whether it is there; if nil, only the question can tell.
	alive func(context.Context) error
	// unhurried is set where what was known before may be wrong by now, so that only a failure is a reason to use it
	// and slowness is none.
	unhurried bool
	// work finds the answer. It is done once for all who ask at the same time, and goes on when they have left.
	work func(context.Context) (T, error)
	// before is what was known and may be used while the source fails; nil if there is nothing.
	before *T
	// elsewhere looks for the same where other processes left it; nil if it finds nothing. It may be nil itself.
	elsewhere func(context.Context) *T
}

// place is the name under which the health of the part is known.
func (in *inquiry[T]) place() string { return in.source + " " + in.part }

// patience is how long who has an older answer waits for a new one: who asks without hurry leaves some of their time to
// what they do with the answer.
func (in *inquiry[T]) patience(ctx context.Context, d *desk) time.Duration {
	if !in.unhurried {
		return d.patience
	}
	patience := d.timeout
	if deadline, bounded := ctx.Deadline(); bounded {
		patience = min(patience, time.Until(deadline)/4*3)
	}
	return max(patience, 0)
}

// notice is a negative answer of the type T that is worth keeping for seconds.
type notice[T any] struct{ answer T }

// isDefinite tells whether an error is an answer of the source, which what was known before never replaces: there is no
// such image, or no usable key or trust root.
func isDefinite(err error) bool {
	return errors.Is(err, image.ErrNotExist) || errors.Is(err, verification.ErrNoKey)
}

// ask returns an answer. Where the source fails and something was known before, that is the answer, and stale says why.
// Where it refuses access, that is so for minutes only.
func ask[T any](ctx context.Context, d *desk, in inquiry[T]) (answer T, stale, err error) {
	if d.refusals.over(in.key) {
		in.before, in.elsewhere = nil, nil
	}
	answer, stale, err = seek(ctx, d, in)
	return answer, d.refusals.bound(in.key, stale), err
}

func seek[T any](ctx context.Context, d *desk, in inquiry[T]) (answer T, stale, err error) {
	if kept, found := d.recent.Get(in.key); found {
		if negative, ok := kept.(notice[T]); ok {
			return negative.answer, nil, nil
		}
		return instead(ctx, d, in, kept.(error))
	}
	if in.before != nil {
		if cause := d.health.failing(in.source, in.place(), in.unhurried); cause != nil {
			askLater(ctx, d, in)
			return *in.before, cause, nil
		}
	}
	results := start(ctx, d, in)
	patience := in.patience(ctx, d)
	impatience := time.NewTimer(patience)
	defer impatience.Stop()
	select {
	case result := <-results:
		return conclude(ctx, d, in, result)
	case <-ctx.Done():
		return instead(ctx, d, in, late(in.source, ctx.Err()))
	case <-impatience.C:
	}
	cause := &slowError{source: in.source, waited: patience}
	if in.before != nil {
		return *in.before, cause, nil
	}
	if found := lookElsewhere(ctx, d, in); found != nil {
		return *found, cause, nil
	}
	select {
	case result := <-results:
		return conclude(ctx, d, in, result)
	case <-ctx.Done():
		return answer, nil, late(in.source, ctx.Err())
	}
}

func conclude[T any](ctx context.Context, d *desk, in inquiry[T], result singleflight.Result) (answer T, stale, err error) {
	if result.Err != nil {
		return instead(ctx, d, in, result.Err)
	}
	return result.Val.(T), nil, nil
}

// instead returns what was known before in place of a failure, where there is such a thing.
func instead[T any](ctx context.Context, d *desk, in inquiry[T], cause error) (answer T, stale, err error) {
	if isDefinite(cause) {
		return answer, nil, cause
	}
	if in.before != nil {
		return *in.before, cause, nil
	}
	if found := lookElsewhere(ctx, d, in); found != nil {
		return *found, cause, nil
	}
	return answer, nil, cause
}

// start begins to find the answer unless somebody has begun already.
func start[T any](ctx context.Context, d *desk, in inquiry[T]) <-chan singleflight.Result {
	return d.flights.DoChan(in.key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.timeout)
		defer cancel()
		d.running.Store(in.key, true)
		defer d.running.Delete(in.key)
		stop := d.watch(in.source, in.place())
		answer, err := guarded(ctx, in)
		stop()
		d.refusals.note(in.key, err)
		if err != nil {
			note(ctx, d, in, err)
			d.recent.Add(in.key, err, d.retryAfter)
			return nil, err
		}
		d.health.answered(in.source, in.place())
		return answer, nil
	})
}

// note remembers what an error says of its source and of the part of it.
func note[T any](ctx context.Context, d *desk, in inquiry[T], err error) {
	if isDefinite(err) {
		d.health.answered(in.source, in.place())
		return
	}
	all, part := concerns(err)
	switch {
	case all || (part && in.part == ""):
		d.health.failed(in.source, err)
		if prober := d.health.beginProbing(in.source); prober != 0 {
			go probe(context.WithoutCancel(ctx), d, in, prober)
		}
	case part:
		d.health.failed(in.place(), err)
	}
}

// probe asks a source that failed again and again whether it is there, until it is, or nobody has asked about it for a
// while: so it is known to fail or to answer, and no admission waits to find out. A question that failed is not asked
// again for that, where there is another way: it may fail for reasons of its own.
func probe[T any](ctx context.Context, d *desk, in inquiry[T], prober int) {
	pause := probeInterval
	for d.health.goesOnProbing(in.source, prober) {
		timer := time.NewTimer(pause)
		<-timer.C
		if !d.health.goesOnProbing(in.source, prober) {
			return
		}
		if in.alive == nil {
			<-start(ctx, d, in)
		} else {
			look(ctx, d, in)
		}
		pause = min(2*pause, maxProbeInterval)
	}
}

// look asks once whether a source is there.
func look[T any](ctx context.Context, d *desk, in inquiry[T]) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	if err := in.alive(ctx); err != nil {
		d.health.failed(in.source, err)
		return
	}
	d.health.answered(in.source)
}

// watch says of a part that does not answer that it is slow, for as long as it does not: who could do with older facts
// need not find out one after another. It returns what ends that.
func (d *desk) watch(source, place string) (stop func()) {
	answered, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		slow := time.NewTicker(d.patience)
		defer slow.Stop()
		for {
			select {
			case <-answered:
				return
			case <-slow.C:
				d.health.slow(place, &slowError{source: source, waited: d.patience})
			}
		}
	}()
	return func() {
		close(answered)
		<-ended
	}
}

// guarded makes an error of a panic: what registries send is read by other people's parsers, and what they do not
// survive must not end the process.
func guarded[T any](ctx context.Context, in inquiry[T]) (answer T, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = &unreadableError{source: in.source, cause: cause}
		}
	}()
	return in.work(ctx)
}

// askLater finds an answer for whoever asks next. Nothing happens where too much is under way, and little where the
// source fails.
func askLater[T any](ctx context.Context, d *desk, in inquiry[T]) {
	if _, running := d.running.Load(in.key); running {
		return
	}
	if _, found := d.recent.Get(in.key); found || !d.health.mayAsk(in.source) || !d.health.mayAsk(in.place()) {
		return
	}
	select {
	case d.background <- struct{}{}:
	default:
		return
	}
	results := start(ctx, d, in)
	go func() {
		<-results
		<-d.background
	}()
}

// lookElsewhere asks once for all, and not again for seconds where nothing was found.
func lookElsewhere[T any](ctx context.Context, d *desk, in inquiry[T]) *T {
	key := "elsewhere " + in.key
	if in.elsewhere == nil || ctx.Err() != nil {
		return nil
	}
	if _, looked := d.recent.Get(key); looked {
		return nil
	}
	results := d.flights.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), elsewhereTimeout)
		defer cancel()
		found := in.elsewhere(ctx)
		if found == nil {
			d.recent.Add(key, struct{}{}, d.retryAfter)
		}
		return found, nil
	})
	select {
	case result := <-results:
		return result.Val.(*T)
	case <-ctx.Done():
		return nil
	}
}

// late is the error of who could not wait for the answer.
func late(source string, cause error) error {
	return fmt.Errorf("%s did not answer in time: %w", source, cause)
}

// slowError says that a source takes longer than who has an older answer waits for.
type slowError struct {
	source string
	waited time.Duration
}

func (e *slowError) Error() string {
	return fmt.Sprintf("%s has not answered within %s", e.source, e.waited)
}

// unreadableError is a panic on the way to an answer.
type unreadableError struct {
	source string
	cause  any
}

func (e *unreadableError) Error() string {
	return fmt.Sprintf("reading the answer of %s: %v", e.source, e.cause)
}

// since is how long ago something was.
func since(c clock.PassiveClock, at time.Time) time.Duration { return c.Now().Sub(at) }
