package signature

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/signature/verification"
)

// running starts what a Verifier does beside answering and returns what stops it.
func running(t *testing.T, v *Verifier) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- v.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestAProcessThatStartsDuringAnOutageKnowsWhatWasVerified(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r := requirement(t, 0)
		w.tags[webImage+":v1"] = digestOf(1)
		first := w.verifier()
		stop := running(t, first)
		expect(t, w.ask(first, r), "verified")
		tag, err := image.Parse(webImage + ":v1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := first.Resolve(t.Context(), image.Access{}, tag); err != nil {
			t.Fatal(err)
		}
		stop()
		w.set(func() { w.failure = errDown })

		second := w.verifier()
		if err := second.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		expect(t, w.ask(second, r), "verified")
		advance(2 * validFor)
		expect(t, w.ask(second, r), "stale: …")
		resolution, err := second.Resolve(t.Context(), image.Access{}, tag)
		if err != nil || resolution.Digest != digestOf(1) || resolution.Stale == "" {
			t.Errorf("the tag names %+v, %v", resolution, err)
		}
	})
}

func TestAnotherReplicasVerdictCountsBeforeADenial(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r := requirement(t, 0)
		ours, theirs := w.verifier(), w.verifier()
		expect(t, w.ask(theirs, r), "verified")
		if err := theirs.book.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.set(func() { w.failure = errDown })
		expect(t, w.ask(ours, r), "verified")
		// What nobody knows is looked up once in a while only.
		unknown := question(r, webImage, digestOf(9))
		for range 20 {
			expect(t, answer(ours.Verify(t.Context(), unknown)), "unknown: "+errDown.Error())
		}
		if w.store.finds != 2 {
			t.Errorf("the store was asked %d times, want twice", w.store.finds)
		}
	})
}

func TestAnotherReplicasVerdictCountsWhileTheRegistryHangs(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r := requirement(t, 0)
		ours, theirs := w.verifier(), w.verifier()
		expect(t, w.ask(theirs, r), "verified")
		if err := theirs.book.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.set(func() { w.hangs = true })
		began := time.Now()
		expect(t, w.ask(ours, r), "verified")
		if took := time.Since(began); took != defaultPatience {
			t.Errorf("it took %s", took)
		}
		advance(defaultTimeout)
		synctest.Wait()
	})
}

func TestAFailingStoreTakesNothingAway(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v, r := w.verifier(), requirement(t, 0)
		w.store.failure = errors.New("the API server is down")
		if err := v.Load(t.Context()); err == nil {
			t.Error("no error")
		}
		stop := running(t, v)
		expect(t, w.ask(v, r), "verified")
		advance(time.Minute)
		w.store.mu.Lock()
		w.store.failure = nil
		w.store.mu.Unlock()
		advance(time.Minute)
		stop()
		w.set(func() { w.failure = errDown })
		second := w.verifier()
		if err := second.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		expect(t, w.ask(second, r), "verified")
	})
}

func TestKeysThatCannotBeReadAreTheLastOnesForABoundedTime(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r := requirement(t, 0)
		first := w.verifier()
		expect(t, w.ask(first, r), "verified")
		if err := first.book.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.set(func() { w.unreadable = errors.New("the key service does not answer") })
		second := w.verifier()
		expect(t, w.ask(second, r), "stale: the key service does not answer; verified by keys that were read 0s ago, …")
		// Nothing new can be verified.
		expect(t, answer(second.Verify(t.Context(), question(r, webImage, digestOf(2)))), "unknown: the key service does not answer")
		advance(validFor + staleFor)
		expect(t, w.ask(second, r), "unknown: the key service does not answer")
	})
}

func TestAKeyThatIsGoneCountsNoLonger(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v, r := w.verifier(), requirement(t, 0)
		expect(t, w.ask(v, r), "verified")
		w.set(func() { w.unreadable = fmt.Errorf("key %q is empty: %w", "release", verification.ErrNoKey) })
		advance(preparationAge)
		expect(t, w.ask(v, r), `unknown: key "release" is empty: …`)
		// That nobody answers after that brings nothing back.
		w.set(func() { w.unreadable = errors.New("the key service does not answer") })
		advance(defaultRetryAfter + 1)
		expect(t, w.ask(v, r), "unknown: the key service does not answer")
	})
}

func TestKeysThatCannotBeReadVerifyNothingNewForLong(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v, r := w.verifier(), requirement(t, 0)
		for n := range 9 {
			w.signed[webImage+"@"+digestOf(n)] = true
		}
		expect(t, w.ask(v, r), "verified")
		w.set(func() { w.unreadable = fmt.Errorf("the key service does not answer: %w", context.DeadlineExceeded) })
		advance(preparationAge)
		expect(t, answer(v.Verify(t.Context(), question(r, webImage, digestOf(2)))), "stale: …")
		advance(oldKeys)
		_, err := v.Verify(t.Context(), question(r, webImage, digestOf(3)))
		if err == nil || err.Error() != w.unreadable.Error() || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v, want the key service's, which is no time-out of the registry", err)
		}
		expect(t, w.ask(v, r), "stale: …")
	})
}
