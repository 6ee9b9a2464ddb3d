package registry

import (
	"context"

	"k8s.io/utils/lru"
)

// maxRepositories of one registry whose health is remembered.
const maxRepositories = maxSessions

// repositories are what is known of the health of each repository of one registry. A registry may keep them in many
// places, and whoever owns one may make it fail or hang: that says nothing about the others.
type repositories struct {
	endpoint *endpoint
	kept     *lru.Cache
}

// repository is the health of one, and those who ask it.
type repository struct {
	breaker *breaker
	// slots are fewer than the registry's, so that one that hangs does not take them all.
	slots chan struct{}
}

func newRepositories(e *endpoint) *repositories {
	return &repositories{endpoint: e, kept: lru.New(maxRepositories)}
}

// of returns the health of a repository.
func (r *repositories) of(name string) *repository {
	e := r.endpoint
	e.mu.Lock()
	defer e.mu.Unlock()
	if kept, found := r.kept.Get(name); found {
		return kept.(*repository)
	}
	made := &repository{
		breaker: &breaker{clock: e.clock, forgets: true},
		slots:   make(chan struct{}, max(1, cap(e.slots)/2)),
	}
	r.kept.Add(name, made)
	return made
}

// enter waits for a place among those who ask. The repository is nil for what is asked of the registry itself.
func (e *endpoint) enter(ctx context.Context, r *repository) (leave func(), err error) {
	queues := []chan struct{}{e.slots}
	if r != nil {
		queues = []chan struct{}{r.slots, e.slots}
	}
	var entered []chan struct{}
	leave = func() {
		for _, slots := range entered {
			<-slots
		}
	}
	for _, slots := range queues {
		select {
		case slots <- struct{}{}:
			entered = append(entered, slots)
		case <-ctx.Done():
			leave()
			return nil, ctx.Err()
		}
	}
	return leave, nil
}
