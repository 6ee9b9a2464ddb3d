package verification

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const mebibyte = 1 << 20

// crowd reads large content of slow registries until they are told to end.
type crowd struct {
	r    *reading
	wait sync.WaitGroup

	mu         sync.Mutex
	size, most int64
	failures   []error
}

// read takes until the context ends.
func (c *crowd) read(ctx context.Context, host string, size int64) {
	c.wait.Go(func() {
		err := c.r.content(ctx, host, size, func(ctx context.Context) error {
			c.add(size)
			<-ctx.Done()
			c.add(-size)
			return ctx.Err()
		}, func() {})
		c.mu.Lock()
		defer c.mu.Unlock()
		c.failures = append(c.failures, err)
	})
}

func (c *crowd) add(size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.size += size
	c.most = max(c.most, c.size)
}

func TestASlowRegistryDelaysNobodyElse(t *testing.T) {
	tests := map[string]struct {
		// hosts that never answer, and how many readers each has.
		hosts, readers int
		size           int64
		// another registry answers at once; within is how long reading from it may take.
		another int64
		within  time.Duration
		// most is what is in memory at one time at most.
		most int64
	}{
		"one, and small content of another":          {hosts: 1, readers: 20, size: 16 * mebibyte, another: mebibyte, most: 32 * mebibyte},
		"one, and large content of another":          {hosts: 1, readers: 20, size: 16 * mebibyte, another: 16 * mebibyte, most: 32 * mebibyte},
		"two, and large content of another":          {hosts: 2, readers: 20, size: 16 * mebibyte, another: 16 * mebibyte, most: 64 * mebibyte},
		"many, and small content of another":         {hosts: 20, readers: 1, size: 16 * mebibyte, another: mebibyte, most: 96 * mebibyte},
		"more than there is room for, and another":   {hosts: 6, readers: 1, size: 16 * mebibyte, another: 16 * mebibyte, within: 2 * patience, most: 96 * mebibyte},
		"many with small content, and small content": {hosts: 1, readers: 100, size: mebibyte, another: mebibyte, most: 100 * mebibyte},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithTimeout(t.Context(), 9*time.Second)
				defer stop()
				c := &crowd{r: newReading()}
				for h := range tt.hosts {
					for range tt.readers {
						c.read(ctx, fmt.Sprintf("slow-%d.example.com", h), tt.size)
					}
				}
				synctest.Wait()
				began, used := time.Now(), false
				err := c.r.content(ctx, "fast.example.com", tt.another, func(context.Context) error { return nil }, func() { used = true })
				if took := time.Since(began); err != nil || !used || took > tt.within {
					t.Errorf("it took %s, at most %s allowed: %v", took, tt.within, err)
				}
				stop()
				c.wait.Wait()
				if c.most > tt.most {
					t.Errorf("%d MiB at one time, at most %d allowed", c.most/mebibyte, tt.most/mebibyte)
				}
				if len(c.r.hosts)+len(c.r.transfers) > 0 {
					t.Errorf("it remembers %d registries and %d transfers", len(c.r.hosts), len(c.r.transfers))
				}
			})
		})
	}
}

func TestTheSlowestTransferGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		c := &crowd{r: newReading()}
		for h := range 6 {
			c.read(ctx, fmt.Sprintf("slow-%d.example.com", h), 16*mebibyte)
			<-time.After(10 * time.Millisecond) // by the clock of the bubble
		}
		if err := c.r.content(ctx, "fast.example.com", 16*mebibyte, func(context.Context) error { return nil }, func() {}); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.failures) != 1 || !errors.Is(c.failures[0], errGaveWay) {
			t.Errorf("ended with %v, want one that gave way", c.failures)
		}
		if want := `reading content of registry "slow-0.example.com": it is sent too slowly, and others wait`; len(c.failures) == 1 && c.failures[0].Error() != want {
			t.Errorf("error %q, want %q", c.failures[0], want)
		}
		stop()
	})
}

func TestManifestsOfARegistryAreReadAFewAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		r := newReading()
		var mu sync.Mutex
		var wait sync.WaitGroup
		begun := 0
		for range 50 {
			wait.Go(func() {
				_ = r.manifest(ctx, "slow.example.com", func(ctx context.Context) error {
					mu.Lock()
					begun++
					mu.Unlock()
					<-ctx.Done()
					return ctx.Err()
				})
			})
		}
		synctest.Wait()
		mu.Lock()
		if begun != manifestsOfHost {
			t.Errorf("%d are read at one time, want %d", begun, manifestsOfHost)
		}
		mu.Unlock()
		if err := r.manifest(ctx, "fast.example.com", func(context.Context) error { return nil }); err != nil {
			t.Errorf("a manifest of another registry: %v", err)
		}
		stop()
		wait.Wait()
	})
}
