package signature

import (
	"errors"
	"fmt"
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/signature/verification"
)

var errSilentKeys = errors.New("the key service does not answer")

func TestKeysOfWhichSomeCannotBeReadVerifyByTheOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v, r := w.verifier(), requirement(t, 0)
		for n := range 4 {
			w.signed[webImage+"@"+digestOf(n)] = true
		}
		w.signedByRead[digestOf(2)] = true
		ask := func(n int) string { return answer(v.Verify(t.Context(), question(r, webImage, digestOf(n)))) }
		expect(t, ask(1), "verified")
		w.set(func() { w.unread = errSilentKeys })
		advance(preparationAge)
		// What the others signed is as good as ever, and what is known already counts on.
		expect(t, ask(2), "verified")
		expect(t, ask(1), "stale: "+errSilentKeys.Error()+"; verified by keys that were read 5s ago, …")
		// The rest needs the key.
		expect(t, ask(3), "unknown: "+errSilentKeys.Error())
		advance(validFor)
		expect(t, ask(1), "stale: "+errSilentKeys.Error()+"; verified 60m ago, …")
		advance(staleFor)
		expect(t, ask(1), "unknown: …")
		expect(t, ask(2), "verified")
	})
}

func TestWhatSomeKeysVerifiedIsNotTakenForAll(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v, r := w.verifier(), requirement(t, 0)
		w.signedByRead[digestOf(1)] = true
		w.unread = errSilentKeys
		expect(t, w.ask(v, r), "verified")
		w.set(func() { w.unread = nil; clear(w.signed) })
		advance(preparationAge)
		expect(t, w.ask(v, r), "rejected")
	})
}

func TestAProcessThatStartsWhileSomeKeysCannotBeReadKnowsWhatWasVerified(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r := requirement(t, 0)
		first := w.verifier()
		expect(t, w.ask(first, r), "verified")
		if err := first.book.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.set(func() { w.unread = errSilentKeys })
		expect(t, w.ask(w.verifier(), r), "stale: "+errSilentKeys.Error()+"; …")
	})
}

func TestOneOfSeveralKeysThatIsRevokedTakesBackWhatWasVerified(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v, r := w.verifier(), requirement(t, 0)
		expect(t, w.ask(v, r), "verified")
		if err := v.book.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
		revoked := fmt.Errorf("the key is empty: %w", verification.ErrNoKey)
		w.set(func() { w.unread = revoked })
		advance(preparationAge)
		expect(t, w.ask(v, r), "unknown: "+revoked.Error())
		// That nobody answers after that brings nothing back, here and, once that is stored, elsewhere.
		if err := v.book.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.set(func() { w.unread = errSilentKeys })
		advance(preparationAge)
		expect(t, w.ask(v, r), "unknown: …")
		expect(t, w.ask(w.verifier(), r), "unknown: …")
	})
}
