package signature

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
	"github.com/runeframeos/kubectl-rune/pkg/signature/verdict"
)

// Times of preparations.
const (
	// preparationAge is how long keys are used without looking whether they have changed.
	preparationAge = 5 * time.Second
	// forgetAfter is how long a Requirement that nobody asks about is remembered.
	forgetAfter = 10 * time.Minute
	// rememberEvery bounds how often it is stored that a fact is still so.
	rememberEvery = 10 * time.Minute
	// oldKeys is how long keys still verify what is new while they cannot be read. Package verification keeps them for
	// four minutes of its own.
	oldKeys = time.Minute
)

// collector finds evidence; package verification has it.
type collector interface {
	// prepare reads the keys and trust roots of a Requirement.
	prepare(ctx context.Context, requirement *proof.Requirement) (prepared, error)
}

// prepared are the keys and trust roots of a Requirement at one time.
type prepared interface {
	// Fingerprint identifies the Requirement together with its keys and trust roots.
	Fingerprint() string
	// Unread is why some of them could not be read; nil where all were. It is definite where one is of no use.
	Unread() error
	// collect asks a registry.
	collect(ctx context.Context, access image.Access, ref image.Reference) (proof.Evidence, error)
}

// preparation is by what a Requirement is judged now.
type preparation struct {
	fingerprint string
	// keys are nil where they cannot be read and only the fingerprint of the last ones is known.
	keys prepared
	// readAt is when the keys were read.
	readAt time.Time
	// unread is why they cannot be read.
	unread error
	// before is by what was judged while all keys could be read; nil where all can be, or what was judged so no longer
	// counts.
	before *preparation
}

// preparations keep the keys of Requirements that are asked about, by pointer: a hash for each admission would cost more
// than the judgement. It is safe for concurrent use.
type preparations struct {
	collector collector
	desk      *desk
	book      *verdict.Book
	clock     clock.PassiveClock

	mu   sync.RWMutex
	kept map[*proof.Requirement]preparation
}

func newPreparations(collector collector, desk *desk, book *verdict.Book, c clock.PassiveClock) *preparations {
	return &preparations{
		collector: collector, desk: desk, book: book, clock: c,
		kept: map[*proof.Requirement]preparation{},
	}
}

// of returns by what a Requirement is judged now. Where its keys cannot be read (a key management service that does not
// answer), what was verified by them still counts for the time that the policy grants.
func (p *preparations) of(ctx context.Context, r *proof.Requirement) (preparation, error) {
	p.mu.RLock()
	known, found := p.kept[r]
	p.mu.RUnlock()
	if found && since(p.clock, known.readAt) < preparationAge {
		return known, nil
	}
	key := keysKey(r)
	result, stale, err := ask(ctx, p.desk, inquiry[preparation]{
		key:    fmt.Sprintf("keys %p", r),
		source: fmt.Sprintf("the source of the keys of ImagePolicy %q", r.ImagePolicy().Name),
		work:   func(ctx context.Context) (preparation, error) { return p.read(ctx, r) },
		before: p.usable(r, p.book.Get(key)),
		elsewhere: func(ctx context.Context) *preparation {
			fact, err := p.book.Find(ctx, key)
			if err != nil {
				return nil
			}
			return p.usable(r, fact)
		},
	})
	if stale != nil {
		// Those that were read by this process do better than a fingerprint: they can still verify.
		if found && known.fingerprint == result.fingerprint && since(p.clock, known.readAt) < oldKeys {
			result.keys = known.keys
		}
		result.unread = stale
	}
	return result, err
}

func keysKey(r *proof.Requirement) verdict.Key {
	return verdict.Key{Kind: verdict.KindKeys, Subject: r.Fingerprint()}
}

// read prepares a Requirement and remembers that.
func (p *preparations) read(ctx context.Context, r *proof.Requirement) (preparation, error) {
	now := p.clock.Now()
	keys, err := p.collector.prepare(ctx, r)
	if err != nil {
		if isDefinite(err) {
			p.forget(r)
		}
		return preparation{}, err
	}
	result := preparation{fingerprint: keys.Fingerprint(), keys: keys, readAt: now}
	switch unread := keys.Unread(); {
	case unread == nil:
		p.remember(r, result)
	case isDefinite(unread):
		p.forget(r)
	default:
		result.before = p.last(ctx, r, unread)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for requirement, kept := range p.kept {
		if now.Sub(kept.readAt) > forgetAfter {
			delete(p.kept, requirement)
		}
	}
	p.kept[r] = result
	return result, nil
}

// remember stores by what a Requirement is judged, once in a while where it stays the same.
func (p *preparations) remember(r *proof.Requirement, read preparation) {
	key, now := keysKey(r), read.readAt
	known := p.book.Get(key)
	if known == nil || known.Text != read.fingerprint || now.Sub(known.At) >= rememberEvery {
		p.book.Keep(key, &verdict.Fact{Text: read.fingerprint, At: now, Until: now.Add(r.ValidFor() + r.StaleFor())})
	}
}

// last is by what a Requirement was judged before some of its keys could not be read.
func (p *preparations) last(ctx context.Context, r *proof.Requirement, unread error) *preparation {
	ctx, cancel := context.WithTimeout(ctx, elsewhereTimeout)
	defer cancel()
	fact, err := p.book.Find(ctx, keysKey(r))
	if err != nil {
		return nil
	}
	result := p.usable(r, fact)
	if result != nil {
		result.unread = unread
	}
	return result
}

// forget takes back what was read before.
func (p *preparations) forget(r *proof.Requirement) {
	p.book.Drop(keysKey(r))
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.kept, r)
}

// usable makes a preparation of a fingerprint that was read before, for as long as evidence would count.
func (p *preparations) usable(r *proof.Requirement, fact *verdict.Fact) *preparation {
	if fact == nil || since(p.clock, fact.At) >= r.ValidFor()+r.StaleFor() {
		return nil
	}
	return &preparation{fingerprint: fact.Text, readAt: fact.At}
}
