package verdict

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// Bounds of a Book.
const (
	// DefaultMaxFacts in memory.
	DefaultMaxFacts = 20_000
	// DefaultMaxBytes that facts take in memory.
	DefaultMaxBytes = 32 << 20
	// findsPerSecond bounds the single reads of a Store: whoever can make up images could cause one for each.
	findsPerSecond = 10
	findsAtOnce    = 20
)

// Intervals of a Book.
const (
	saveInterval  = 5 * time.Second
	sweepInterval = 10 * time.Minute
	// lastSave is how long the last write may take when the process is told to stop.
	lastSave = 5 * time.Second
)

// Store keeps records between processes. It must be safe for concurrent use.
type Store interface {
	// Load returns all records that count, by key. It may return some of them together with an error.
	Load(ctx context.Context) (map[string]proof.Record, error)
	// Find returns one record, read at this moment.
	Find(ctx context.Context, key string) (record proof.Record, found bool, err error)
	// Save stores the changed records; those without content are removed. Others stay as they are.
	Save(ctx context.Context, changed map[string]proof.Record) error
}

// Options of a Book; every field may be zero.
type Options struct {
	// Store behind the memory; none if nil.
	Store Store
	// Clock by which facts age; the real one if nil.
	Clock clock.WithTicker
	Log   logr.Logger
	// MaxFacts and MaxBytes in memory; DefaultMaxFacts and DefaultMaxBytes if zero.
	MaxFacts, MaxBytes int
}

// Book of facts. It is safe for concurrent use.
type Book struct {
	store Store
	clock clock.WithTicker
	log   logr.Logger
	finds *rate.Limiter

	mu     sync.Mutex
	facts  *memory
	loaded bool
	// changed are the keys to be stored, with the time at which a fact was dropped (zero: it is kept).
	changed map[Key]time.Time
}

// NewBook returns an empty Book.
func NewBook(options Options) *Book {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	if options.MaxFacts <= 0 {
		options.MaxFacts = DefaultMaxFacts
	}
	if options.MaxBytes <= 0 {
		options.MaxBytes = DefaultMaxBytes
	}
	return &Book{
		store: options.Store, clock: options.Clock, log: options.Log,
		finds:   rate.NewLimiter(findsPerSecond, findsAtOnce),
		facts:   newMemory(options.MaxFacts, options.MaxBytes),
		changed: map[Key]time.Time{},
	}
}

// Get returns a fact, or nil where none is known. It asks the memory only.
func (b *Book) Get(key Key) *Fact {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.facts.get(key)
}

// Keep remembers a fact, which is written to the Store soon.
func (b *Book) Keep(key Key, fact *Fact) {
	fact.share()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.facts.put(key, fact)
	b.change(key, time.Time{})
}

// Drop forgets a fact that turned out to be no longer so.
func (b *Book) Drop(key Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.facts.remove(key) {
		b.change(key, b.clock.Now())
	}
}

// change notes what is to be stored. It is bounded: where the Store fails for long, facts stay in memory only.
func (b *Book) change(key Key, dropped time.Time) {
	if b.store == nil {
		return
	}
	if _, noted := b.changed[key]; noted || len(b.changed) < b.facts.maxFacts {
		b.changed[key] = dropped
	}
}

// Find looks for a fact in memory and then in the Store, where another process may have put it. An error only says
// that the Store could not be read, or not now.
func (b *Book) Find(ctx context.Context, key Key) (*Fact, error) {
	if fact := b.Get(key); fact != nil || b.store == nil {
		return fact, nil
	}
	if !b.finds.AllowN(b.clock.Now(), 1) {
		return nil, fmt.Errorf("looking for %s %q among the stored verdicts: too many questions at once", key.Kind, key.Subject)
	}
	record, found, err := b.store.Find(ctx, key.String())
	if err != nil || !found {
		return nil, err
	}
	fact, err := readRecord(key, record, b.clock.Now())
	if err != nil {
		return nil, err
	}
	return b.learn(key, fact), nil
}

// learn takes a stored fact over unless a later one is known, and returns the one that counts. A fact that was
// dropped a moment ago stays dropped.
func (b *Book) learn(key Key, fact *Fact) *Fact {
	fact.share()
	b.mu.Lock()
	defer b.mu.Unlock()
	if dropped, changing := b.changed[key]; changing && !dropped.IsZero() && !fact.At.After(dropped) {
		return nil
	}
	if known := b.facts.get(key); known != nil && !fact.At.After(known.At) {
		return known
	}
	b.facts.put(key, fact)
	return fact
}

// Len is the number of facts in memory.
func (b *Book) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.facts.order.Len()
}

// sweep forgets what no longer counts.
func (b *Book) sweep() {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.Now()
	b.facts.removeWhere(func(f *Fact) bool { return !f.Until.After(now) })
}
