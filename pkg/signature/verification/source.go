package verification

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"k8s.io/utils/clock"
)

// Times of sources.
const (
	// pauseAfterFailure is how long a source that failed is not asked again.
	pauseAfterFailure = 5 * time.Second
	// keyTimeout, keySoft, keyHard and keyGrace are those of all sources but the public Sigstore. What was read before
	// is for minutes only: a key may have been taken away exactly because it is in other hands.
	keyTimeout = 5 * time.Second
	keySoft    = 15 * time.Second
	keyHard    = 45 * time.Second
	keyGrace   = 4 * time.Minute
)

// source is somewhere outside of a policy from where a key or a trust root is read.
type source struct {
	// name is unique, as in `Secret "keys" (cosign.pub)`.
	name string
	read func(context.Context) ([]byte, error)
	// check returns why content is of no use. Then what was read before is no longer used either.
	check func([]byte) error
	// timeout of reading once.
	timeout time.Duration
	// soft is the age from which the content is read again while the old one still serves, hard the age from which
	// one waits for that, and grace the age up to which the old one serves if that fails.
	soft, hard, grace time.Duration
}

// content is what a source held last.
type content struct {
	bytes  []byte
	readAt time.Time
	// failure of what was read later; nil where nothing was.
	failure  error
	failedAt time.Time
}

// sources remembers contents. A source that fails does not take back what it said before, for a bounded time; a source
// that says that there is no such thing, or something of no use, does.
type sources struct {
	clock   clock.PassiveClock
	flights singleflight.Group

	mu       sync.Mutex
	contents map[string]content
}

func newSources(clock clock.PassiveClock) *sources {
	return &sources{clock: clock, contents: map[string]content{}}
}

// read returns a source's content.
func (s *sources) read(ctx context.Context, from source) ([]byte, error) {
	known := s.known(from.name)
	now := s.clock.Now()
	age := now.Sub(known.readAt)
	failed := func(within time.Duration) bool { return known.failure != nil && now.Sub(known.failedAt) < within }
	has := known.bytes != nil
	switch {
	case has && age < from.soft:
		return known.bytes, nil
	case failed(pauseAfterFailure):
		return known.orOld(from, age)
	}
	flight := s.flights.DoChan(from.name, func() (any, error) {
		return nil, s.refresh(context.WithoutCancel(ctx), from)
	})
	// Nobody waits twice for a source that fails.
	if has && (age < from.hard || failed(from.hard) && age < from.grace) {
		return known.bytes, nil
	}
	select {
	case <-ctx.Done():
		if has && age < from.grace {
			return known.bytes, nil
		}
		return nil, fmt.Errorf("reading %s: %w", from.name, ctx.Err())
	case <-flight:
	}
	known = s.known(from.name)
	return known.orOld(from, now.Sub(known.readAt))
}

// orOld returns the content unless the last try failed for good or the content is too old for that.
func (c content) orOld(from source, age time.Duration) ([]byte, error) {
	if c.failure == nil || (c.bytes != nil && age < from.grace) {
		return c.bytes, nil
	}
	return nil, fmt.Errorf("reading %s: %w", from.name, c.failure)
}

func (s *sources) known(name string) content {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.contents[name]
}

func (s *sources) refresh(ctx context.Context, from source) (err error) {
	ctx, cancel := context.WithTimeout(ctx, from.timeout)
	defer cancel()
	var bytes []byte
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("unexpected content: %v", cause)
		}
		s.remember(from.name, bytes, err)
	}()
	if bytes, err = from.read(ctx); err != nil {
		return err
	}
	if len(bytes) == 0 {
		return unusable("it is empty")
	}
	if err := safely(func() error { return from.check(bytes) }); err != nil {
		return &unusableError{err}
	}
	return nil
}

func (s *sources) remember(name string, bytes []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.contents[name] = content{bytes: bytes, readAt: s.clock.Now()}
		return
	}
	known := s.contents[name]
	known.failedAt = s.clock.Now()
	switch {
	case takesBack(err):
		known.bytes, known.failure = nil, err
	case known.failure == nil || !takesBack(known.failure):
		known.failure = err
	}
	s.contents[name] = known
}
