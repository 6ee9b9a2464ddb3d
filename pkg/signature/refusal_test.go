package signature

import (
	"testing"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

func TestARefusalIsAnAnswerAfterMinutes(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v, r := w.verifier(), requirement(t, 0)
		ref, err := image.Parse(webImage + ":v1")
		if err != nil {
			t.Fatal(err)
		}
		w.tags[ref.String()] = digestOf(1)
		resolve := func() string {
			resolution, err := v.Resolve(t.Context(), image.Access{}, ref)
			switch {
			case err != nil:
				return "unknown: " + err.Error()
			case resolution.Stale != "":
				return "stale: " + resolution.Stale
			}
			return resolution.Digest
		}
		expect(t, w.ask(v, r), "verified")
		expect(t, resolve(), digestOf(1))
		if err := v.book.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
		advance(validFor)
		w.set(func() { w.failure = errForbidden })
		since, until := words(time.Now()), words(time.Now().Add(refusedFor))
		expect(t, w.ask(v, r), "stale: "+errForbidden.Error()+" (access has been refused since "+since+
			", and older answers count for 5m from then); verified 60m ago, counts until "+until)
		expect(t, resolve(), "stale: "+errForbidden.Error()+" (access…")
		advance(refusedFor - 1)
		expect(t, w.ask(v, r), "stale: …")
		expect(t, resolve(), "stale: …")
		advance(1)
		expect(t, w.ask(v, r), "unknown: "+errForbidden.Error())
		expect(t, resolve(), "unknown: "+errForbidden.Error())
		// An outage after the refusal brings nothing back.
		w.set(func() { w.failure = errDown })
		advance(defaultRetryAfter + 1)
		expect(t, w.ask(v, r), "unknown: "+errDown.Error())
		// An answer ends it.
		w.set(func() { w.failure = nil })
		advance(failureMemory + maxProbeInterval)
		expect(t, w.ask(v, r), "verified")
		expect(t, resolve(), digestOf(1))
		advance(validFor)
		w.set(func() { w.failure = errDown })
		expect(t, w.ask(v, r), "stale: …")
		advance(refusedFor)
		expect(t, w.ask(v, r), "stale: …")
	})
}

func TestARefusalWhileEvidenceIsRenewedCountsFromThen(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v, r := w.verifier(), requirement(t, 0)
		expect(t, w.ask(v, r), "verified")
		w.set(func() { w.failure = errForbidden })
		advance(validFor * 9 / 10)
		expect(t, w.ask(v, r), "verified")
		advance(validFor / 10)
		expect(t, w.ask(v, r), "unknown: "+errForbidden.Error())
	})
}
