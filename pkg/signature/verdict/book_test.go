package verdict

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

func start() time.Time { return time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC) }

// store implements Store in memory.
type store struct {
	mu      sync.Mutex
	records map[string]proof.Record
	saves   []int
	finds   int
	tries   int
	failure error
}

func (s *store) Load(context.Context) (map[string]proof.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.records), s.failure
}

func (s *store) Find(_ context.Context, key string) (proof.Record, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finds++
	record, found := s.records[key]
	return record, found, s.failure
}

func (s *store) Save(_ context.Context, changed map[string]proof.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	if s.failure != nil {
		return s.failure
	}
	s.saves = append(s.saves, len(changed))
	if s.records == nil {
		s.records = map[string]proof.Record{}
	}
	maps.Copy(s.records, changed)
	return nil
}

func (s *store) saved() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]int(nil), s.saves...)
}

func digest(n int) string { return fmt.Sprintf("sha256:%064x", n) }

func evidenceOf(n int) Key {
	return Key{Kind: KindEvidence, Subject: digest(n), Detail: strings.Repeat("f", 64)}
}

// verified is evidence as the usual policy has it: one signature by one key.
func verified(n int, at time.Time) *Fact {
	return &Fact{
		Evidence: &proof.Evidence{Digest: digest(n), CollectedAt: at, Signatures: []proof.Signature{{
			Authority: strings.Clone("release"), Signer: strings.Clone("sha256:" + strings.Repeat("a", 64)), Format: v1alpha1.FormatBundle,
		}}},
		Source: strings.Clone("registry.runeframeos.com/team/web"), At: at, Until: at.Add(25 * time.Hour),
	}
}

func newTestBook(s Store) (*Book, *clocktesting.FakeClock) {
	clock := clocktesting.NewFakeClock(start())
	return NewBook(Options{Store: s, Clock: clock, Log: logr.Discard()}), clock
}

func TestAnotherProcessKnowsWhatWasSaved(t *testing.T) {
	s := &store{}
	first, _ := newTestBook(s)
	kept := verified(1, start())
	kept.Evidence.Rejected = []proof.Rejection{{Reason: "junk"}}
	first.Keep(evidenceOf(1), kept)
	tag := Key{Kind: KindTag, Subject: "r.local/web:v1", Detail: "prod/default/with a space"}
	first.Keep(tag, &Fact{Text: digest(1), At: start(), Until: start().Add(time.Hour)})
	first.Keep(evidenceOf(2), verified(2, start()))
	first.Drop(evidenceOf(2))
	if err := first.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	second, _ := newTestBook(s)
	if err := second.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(verified(1, start()), second.Get(evidenceOf(1))); diff != "" {
		t.Errorf("the evidence is another:\n%s", diff)
	}
	if got := second.Get(tag); got == nil || got.Text != digest(1) {
		t.Errorf("the tag names %+v", got)
	}
	if got := second.Get(evidenceOf(2)); got != nil {
		t.Errorf("what was dropped is known: %+v", got)
	}
	if second.Len() != 2 {
		t.Errorf("%d facts", second.Len())
	}
}

func TestARecordThatIsNoFactOfItsKeyIsLeftOut(t *testing.T) {
	good, err := verified(1, start()).record()
	if err != nil {
		t.Fatal(err)
	}
	of := func(change func(f *Fact)) proof.Record {
		fact := verified(1, start())
		change(fact)
		record, err := fact.record()
		if err != nil {
			t.Fatal(err)
		}
		return record
	}
	for name, stored := range map[string]struct {
		key    string
		record proof.Record
	}{
		"another digest":      {evidenceOf(2).String(), good},
		"another kind":        {Key{Kind: KindTag, Subject: digest(1)}.String(), good},
		"no kind":             {"opinion " + digest(1) + " f", good},
		"no key":              {"evidence", good},
		"no JSON":             {evidenceOf(1).String(), proof.Record{Content: []byte("{"), At: good.At, Until: good.Until}},
		"no evidence":         {evidenceOf(1).String(), of(func(f *Fact) { f.Evidence = nil })},
		"two times":           {evidenceOf(1).String(), of(func(f *Fact) { f.Evidence.CollectedAt = start().Add(-time.Hour) })},
		"from the future":     {evidenceOf(1).String(), of(func(f *Fact) { f.At, f.Evidence.CollectedAt = start().Add(time.Hour), start().Add(time.Hour) })},
		"no longer counts":    {evidenceOf(1).String(), of(func(f *Fact) { f.Until = start() })},
		"more than is stored": {evidenceOf(1).String(), proof.Record{Content: append(good.Content, strings.Repeat(" ", maxContent)...), Until: good.Until}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &store{records: map[string]proof.Record{stored.key: stored.record}}
			book, _ := newTestBook(s)
			if err := book.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			if book.Len() != 0 {
				t.Error("it was believed")
			}
			if key, err := ParseKey(stored.key); err == nil {
				if fact, err := book.Find(t.Context(), key); fact != nil || err == nil {
					t.Errorf("found %+v, %v", fact, err)
				}
			}
		})
	}
}

func TestTheLaterFactStays(t *testing.T) {
	s := &store{}
	book, clock := newTestBook(s)
	store := func(n int, at time.Time) {
		record, err := verified(n, at).record()
		if err != nil {
			t.Fatal(err)
		}
		s.records = map[string]proof.Record{evidenceOf(n).String(): record}
	}
	book.Keep(evidenceOf(1), verified(1, start()))
	for _, c := range []struct {
		stored, want time.Time
	}{{start().Add(-time.Hour), start()}, {start().Add(time.Minute), start().Add(time.Minute)}} {
		store(1, c.stored)
		if err := book.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := book.Get(evidenceOf(1)).At; !got.Equal(c.want) {
			t.Errorf("with %s stored the fact is of %s, want %s", c.stored, got, c.want)
		}
	}
	// What was dropped and is not stored yet does not come back.
	clock.Step(2 * time.Minute)
	book.Drop(evidenceOf(1))
	if fact, err := book.Find(t.Context(), evidenceOf(1)); fact != nil || err != nil {
		t.Errorf("found %+v, %v", fact, err)
	}
	store(1, clock.Now().Add(time.Second))
	if fact, err := book.Find(t.Context(), evidenceOf(1)); fact == nil || err != nil {
		t.Errorf("found %+v, %v", fact, err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	book := NewBook(Options{MaxFacts: 100, MaxBytes: 1 << 20, Log: logr.Discard()})
	for n := range 150 {
		book.Keep(evidenceOf(n), verified(n, start()))
		book.Get(evidenceOf(0))
	}
	if book.Len() != 100 || book.Get(evidenceOf(0)) == nil || book.Get(evidenceOf(50)) != nil || book.Get(evidenceOf(149)) == nil {
		t.Errorf("%d facts are left, or not those that were used last", book.Len())
	}
	for n := range 40 {
		large := verified(1000+n, start())
		large.Evidence.Attestations = []proof.Attestation{{Predicate: make([]byte, 64<<10)}}
		book.Keep(evidenceOf(1000+n), large)
	}
	if book.facts.bytes > 1<<20 || book.Len() > 16 {
		t.Errorf("%d facts take %d bytes", book.Len(), book.facts.bytes)
	}
	sum := 0
	for _, element := range book.facts.elements {
		sum += element.Value.(*entry).size
	}
	if sum != book.facts.bytes {
		t.Errorf("the sizes add up to %d, counted were %d", sum, book.facts.bytes)
	}
	// A fact that is larger than all room leaves the book empty rather than too large.
	huge := verified(1, start())
	huge.Evidence.Attestations = []proof.Attestation{{Predicate: make([]byte, 2<<20)}}
	book.Keep(evidenceOf(1), huge)
	if book.Len() != 0 || book.facts.bytes != 0 {
		t.Errorf("%d facts take %d bytes", book.Len(), book.facts.bytes)
	}
}

// until waits for what another goroutine does.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}

func TestChangesAreWrittenInBatchesAndOnceMoreAtTheEnd(t *testing.T) {
	s := &store{failure: errors.New("down")}
	book, clock := newTestBook(s)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- book.Run(ctx) }()
	until(t, "for the tickers", clock.HasWaiters)
	for n := range 3 {
		book.Keep(evidenceOf(n), verified(n, start()))
	}
	clock.Step(saveInterval)
	until(t, "for a try", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.tries > 0
	})
	s.mu.Lock()
	s.failure = nil
	s.mu.Unlock()
	until(t, "for a write", func() bool {
		clock.Step(saveInterval)
		return len(s.saved()) == 1
	})
	if diff := cmp.Diff([]int{3}, s.saved()); diff != "" {
		t.Errorf("written were:\n%s", diff)
	}
	book.Keep(evidenceOf(9), verified(9, start()))
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]int{3, 1}, s.saved()); diff != "" {
		t.Errorf("written were:\n%s", diff)
	}
}

func TestSingleLookUpsAreBounded(t *testing.T) {
	s := &store{}
	book, clock := newTestBook(s)
	refused := 0
	for n := range 100 {
		if _, err := book.Find(t.Context(), evidenceOf(n)); err != nil {
			refused++
		}
	}
	if s.finds != findsAtOnce || refused != 100-findsAtOnce {
		t.Errorf("%d look-ups, %d refused", s.finds, refused)
	}
	clock.Step(time.Second)
	if _, err := book.Find(t.Context(), evidenceOf(1)); err != nil {
		t.Error(err)
	}
}

func TestWhatNoLongerCountsIsForgotten(t *testing.T) {
	book, clock := newTestBook(nil)
	book.Keep(evidenceOf(1), verified(1, start()))
	clock.Step(26 * time.Hour)
	book.Keep(evidenceOf(2), verified(2, clock.Now()))
	book.sweep()
	if book.Len() != 1 || book.Get(evidenceOf(2)) == nil {
		t.Errorf("%d facts are left", book.Len())
	}
}

func FuzzReadRecord(f *testing.F) {
	good, err := verified(1, start()).record()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(evidenceOf(1).String(), good.Content)
	f.Add("tag r.local/web:v1 ", []byte(`{"text":"sha256:1","at":"2026-11-24T08:00:00Z","until":"2026-11-25T08:00:00Z"}`))
	f.Fuzz(func(t *testing.T, text string, content []byte) {
		key, err := ParseKey(text)
		if err != nil {
			return
		}
		if key.String() != text {
			t.Errorf("the key %q is written as %q", text, key.String())
		}
		fact, err := readRecord(key, proof.Record{Content: content}, start())
		if err != nil {
			return
		}
		if key.Kind == KindEvidence && fact.Evidence.Digest != key.Subject || fact.At.After(start().Add(clockSkew)) {
			t.Errorf("believed %+v", fact)
		}
		if size(key, fact) < len(fact.Text) {
			t.Errorf("the size %d is too small", size(key, fact))
		}
	})
}
