package signature

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/signature/verdict"
)

// tagMemory is how long what a tag named last counts while the registry fails.
const tagMemory = 24 * time.Hour

// tags answers which digest a tag names now; *registry.Client does.
type tags interface {
	Head(ctx context.Context, access image.Access, ref image.Reference) (string, error)
	pinger
}

// pinger asks a registry whether it is there; *registry.Client does.
type pinger interface {
	Ping(ctx context.Context, registry string) error
}

// resolver asks which digests tags name.
type resolver struct {
	tags  tags
	desk  *desk
	book  *verdict.Book
	clock clock.PassiveClock
}

// resolve asks the registry each time. What it said last counts only while it fails.
func (r *resolver) resolve(ctx context.Context, access image.Access, ref image.Reference) (image.Resolution, error) {
	if ref.Digest != "" {
		return image.Resolution{Digest: ref.Digest}, nil
	}
	key := verdict.Key{Kind: verdict.KindTag, Subject: ref.String(), Detail: access.Key()}
	fact, stale, err := ask(ctx, r.desk, inquiry[*verdict.Fact]{
		key:    key.String(),
		source: sourceOf(ref.Registry),
		part:   ref.Repository,
		alive:  func(ctx context.Context) error { return r.tags.Ping(ctx, ref.Registry) },
		// A tag may have moved: what it named before is no answer of a registry that is only slow.
		unhurried: true,
		work:      func(ctx context.Context) (*verdict.Fact, error) { return r.head(ctx, access, ref, key) },
		before:    r.usable(r.book.Get(key)),
		elsewhere: func(ctx context.Context) **verdict.Fact {
			fact, err := r.book.Find(ctx, key)
			if err != nil {
				return nil
			}
			return r.usable(fact)
		},
	})
	if err != nil {
		return image.Resolution{}, err
	}
	resolution := image.Resolution{Digest: fact.Text}
	if stale != nil {
		resolution.Stale = fmt.Sprintf("%v; the tag named %s %s ago, which counts until %s",
			stale, fact.Text, duration.HumanDuration(since(r.clock, fact.At)), words(counting(stale, fact.At.Add(tagMemory))))
	}
	return resolution, nil
}

// head asks the registry and remembers what it said. What is stored need not be newer than some minutes.
func (r *resolver) head(ctx context.Context, access image.Access, ref image.Reference, key verdict.Key) (*verdict.Fact, error) {
	now := r.clock.Now()
	digest, err := r.tags.Head(ctx, access, ref)
	if errors.Is(err, image.ErrNotExist) {
		r.book.Drop(key)
	}
	if err != nil {
		return nil, err
	}
	if !image.ValidDigest(digest) {
		return nil, fmt.Errorf("asking %s for %q: it named the digest %q", sourceOf(ref.Registry), ref, digest)
	}
	fact := &verdict.Fact{Text: digest, Source: ref.Name(), At: now, Until: now.Add(tagMemory)}
	if known := r.book.Get(key); known == nil || known.Text != digest || now.Sub(known.At) >= rememberEvery {
		r.book.Keep(key, fact)
	}
	return fact, nil
}

func (r *resolver) usable(fact *verdict.Fact) **verdict.Fact {
	if fact == nil || since(r.clock, fact.At) >= tagMemory {
		return nil
	}
	return &fact
}
