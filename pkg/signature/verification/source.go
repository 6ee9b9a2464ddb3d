package verification

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
)

// pauseAfterFailure is how long a source that failed is not asked again.
const pauseAfterFailure = 5 * time.Second

// source is somewhere outside of a policy from where a key or a trust root is read.
type source struct {
	// name is unique, as in `Secret "keys" (cosign.pub)`.
	name string
	read func(context.Context) ([]byte, error)
	// timeout of reading once.
	timeout time.Duration
	// soft is the age from which the content is read again while the old one still serves, hard the age from which
	// one waits for that, and grace the age up to which the old one serves if that fails.
	soft, hard, grace time.Duration
}

// content is what a source held last.
type content struct {
	bytes    []byte
	readAt   time.Time
	failure  error
	failedAt time.Time
}

// sources remembers contents. A source that fails does not take back what it said before, for a bounded time; a source
// that says that there is no such thing does.
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
	failing := known.failure != nil && now.Sub(known.failedAt) < pauseAfterFailure
	has := known.bytes != nil
	switch {
	case has && age < from.soft:
		return known.bytes, nil
	case failing:
		return known.orOld(from, age)
	}
	flight := s.flights.DoChan(from.name, func() (any, error) {
		return nil, s.refresh(context.WithoutCancel(ctx), from)
	})
	if has && age < from.hard {
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
	bytes, err = from.read(ctx)
	if err == nil && len(bytes) == 0 {
		err = errors.New("it is empty")
	}
	return err
}

func (s *sources) remember(name string, bytes []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.contents[name] = content{bytes: bytes, readAt: s.clock.Now()}
		return
	}
	known := s.contents[name]
	known.failure, known.failedAt = err, s.clock.Now()
	if errors.Is(err, fs.ErrNotExist) || apierrors.IsNotFound(err) {
		known.bytes = nil
	}
	s.contents[name] = known
}
