package verification

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// maxReading bounds the large content that is held at one time by all, and maxOfHost that of one registry, so that
	// none takes it all. Both in bytes.
	maxReading = 96 << 20
	maxOfHost  = 32 << 20
	// manifestsOfHost is how many manifests are read from one registry at one time. Each may have 4 MiB.
	manifestsOfHost = 16
	// maxDecoding bounds the large content that is decoded at one time, in bytes: that takes some times its size.
	maxDecoding = 16 << 20
	// patience is how long large content may take while others wait for their turn.
	patience = time.Second
)

// errGaveWay says that a registry sends so slowly that others would wait for it.
var errGaveWay = errors.New("it is sent too slowly, and others wait")

// reading bounds the memory that strangers' content takes. A registry that is slow, or whose content is many, delays
// nobody but itself: of small content only the number is bounded, by each registry and each image; of large content each
// registry has a share of its own, and where all shares together are too many the slowest transfers give way.
type reading struct {
	large, decoding *semaphore.Weighted

	mu        sync.Mutex
	hosts     map[string]*host
	transfers map[*transfer]struct{}
}

// host is a registry of which something is read just now.
type host struct {
	users            int
	large, manifests *semaphore.Weighted
}

// transfer of large content that is under way.
type transfer struct {
	size  int64
	began time.Time
	stop  context.CancelCauseFunc
}

func newReading() *reading {
	return &reading{
		large: semaphore.NewWeighted(maxReading), decoding: semaphore.NewWeighted(maxDecoding),
		hosts: map[string]*host{}, transfers: map[*transfer]struct{}{},
	}
}

// enter returns a registry, which must be left.
func (r *reading) enter(name string) (h *host, leave func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hosts[name] == nil {
		r.hosts[name] = &host{large: semaphore.NewWeighted(maxOfHost), manifests: semaphore.NewWeighted(manifestsOfHost)}
	}
	h = r.hosts[name]
	h.users++
	return h, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if h.users--; h.users == 0 {
			delete(r.hosts, name)
		}
	}
}

// manifest reads one of a registry's manifests.
func (r *reading) manifest(ctx context.Context, name string, get func(context.Context) error) error {
	h, leave := r.enter(name)
	defer leave()
	if err := h.manifests.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("waiting to read a manifest of registry %q: %w", name, err)
	}
	defer h.manifests.Release(1)
	return get(ctx)
}

// content reads content of a registry, and uses it. What get allocates is free once use returns.
func (r *reading) content(ctx context.Context, name string, size int64, get func(context.Context) error, use func()) error {
	if size > small {
		h, leave := r.enter(name)
		defer leave()
		if err := h.large.Acquire(ctx, size); err != nil {
			return fmt.Errorf("waiting to read content of registry %q: %w", name, err)
		}
		defer h.large.Release(size)
		if err := r.acquire(ctx, size); err != nil {
			return fmt.Errorf("waiting to read content of registry %q: %w", name, err)
		}
		defer r.large.Release(size)
		get = r.transferred(name, size, get)
	}
	if err := get(ctx); err != nil {
		return err
	}
	return r.decode(ctx, size, use)
}

// decode uses content. Nothing waits for a registry meanwhile. What is small does not wait for what is large.
func (r *reading) decode(ctx context.Context, size int64, use func()) error {
	if size <= small {
		use()
		return nil
	}
	size = min(size, maxDecoding)
	if err := r.decoding.Acquire(ctx, size); err != nil {
		return fmt.Errorf("waiting to decode content: %w", err)
	}
	defer r.decoding.Release(size)
	use()
	return nil
}

// acquire waits for its turn, and has slow transfers give way.
func (r *reading) acquire(ctx context.Context, size int64) error {
	if r.large.TryAcquire(size) {
		return nil
	}
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		tick := time.NewTicker(patience / 4)
		defer tick.Stop()
		for {
			select {
			case <-waiting.Done():
				return
			case <-tick.C:
				r.hurry(size)
			}
		}
	}()
	return r.large.Acquire(ctx, size)
}

// transferred is a transfer that may have to give way.
func (r *reading) transferred(name string, size int64, get func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, stop := context.WithCancelCause(ctx)
		defer stop(nil)
		t := &transfer{size: size, began: time.Now(), stop: stop}
		r.mu.Lock()
		r.transfers[t] = struct{}{}
		r.mu.Unlock()
		err := get(ctx)
		r.mu.Lock()
		delete(r.transfers, t)
		r.mu.Unlock()
		if err != nil && errors.Is(context.Cause(ctx), errGaveWay) {
			return fmt.Errorf("reading content of registry %q: %w", name, errGaveWay)
		}
		return err
	}
}

// hurry ends the slowest transfers, as many as make room for a size.
func (r *reading) hurry(size int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	slowest := slices.SortedFunc(maps.Keys(r.transfers), func(a, b *transfer) int { return cmp.Or(a.began.Compare(b.began), cmp.Compare(b.size, a.size)) })
	for _, t := range slowest {
		if size <= 0 || time.Since(t.began) < patience {
			return
		}
		t.stop(errGaveWay)
		delete(r.transfers, t)
		size -= t.size
	}
}
