package registry

import (
	"sync"
	"time"

	"k8s.io/utils/clock"
	"k8s.io/utils/lru"
)

const (
	// lackingLife is how long it is remembered that a repository has no referrers API.
	lackingLife = 10 * time.Minute
	// maxLacking repositories of one registry that are remembered.
	maxLacking = 1024
)

// referrersAPI remembers which repositories of one registry lack the referrers API. What one of them
// answered says nothing about another: a registry may be many behind one name, and whoever can make one
// repository answer otherwise could else hide the referrers of all. Nothing is remembered of a registry
// that was seen to have the API.
type referrersAPI struct {
	clock clock.PassiveClock

	mu      sync.Mutex
	present bool
	// since when, by repository.
	since *lru.Cache
}

func newReferrersAPI(c clock.PassiveClock) *referrersAPI {
	return &referrersAPI{clock: c, since: lru.New(maxLacking)}
}

func (a *referrersAPI) lacking(repository string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	seen, found := a.since.Get(repository)
	return found && !a.present && a.clock.Since(seen.(time.Time)) < lackingLife
}

func (a *referrersAPI) remember(repository string, present bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if present {
		a.present = true
		a.since.Remove(repository)
		return
	}
	a.since.Add(repository, a.clock.Now())
}
