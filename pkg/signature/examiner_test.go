package signature

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

func TestWhatWasVerifiedIsNotAskedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v, r := w.verifier(), requirement(t, 0)
		for range 10 {
			expect(t, w.ask(v, r), "verified")
		}
		// The same content in another repository is as signed.
		expect(t, answer(v.Verify(t.Context(), question(r, mirrorImage, digestOf(1)))), "verified")
		if got := w.count(); got != 1 {
			t.Errorf("the registry was asked %d times, want once", got)
		}
	})
}

func TestAHundredAtOnceAreOneCollection(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v, r := w.verifier(), requirement(t, 0)
		w.delay = 20 * time.Millisecond
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() { expect(t, w.ask(v, r), "verified") })
		}
		group.Wait()
		if got := w.count(); got != 1 {
			t.Errorf("the registry was asked %d times, want once", got)
		}
	})
}

func TestACallerWhoLeavesDoesNotTakeTheAnswerAlong(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v, r := w.verifier(), requirement(t, 0)
		w.delay = 500 * time.Millisecond
		impatient, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var group sync.WaitGroup
		group.Go(func() {
			got := answer(v.Verify(impatient, question(r, webImage, digestOf(1))))
			expect(t, got, `unknown: registry "registry.example.com" did not answer in time: context deadline exceeded`)
		})
		group.Go(func() {
			advance(50 * time.Millisecond)
			expect(t, w.ask(v, r), "verified")
		})
		group.Wait()
		expect(t, w.ask(v, r), "verified")
		if got := w.count(); got != 1 {
			t.Errorf("the registry was asked %d times, want once", got)
		}
	})
}

func TestAnAnswerThatBreaksItsReaderIsNoAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v, r := w.verifier(), requirement(t, 0)
		w.panics = true
		expect(t, w.ask(v, r), `unknown: reading the answer of registry "registry.example.com": index out of range`)
		w.set(func() { w.panics = false })
		advance(defaultRetryAfter + 1)
		expect(t, w.ask(v, r), "verified")
		w.set(func() { w.panics = true })
		advance(validFor)
		expect(t, w.ask(v, r), `stale: reading the answer of registry…`)
	})
}

func TestAFailureIsNeverTakenForUnsigned(t *testing.T) {
	for name, failure := range map[string]error{"down": errDown, "refused": errForbidden} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				v, r := w.verifier(), requirement(t, 0)
				w.failure = failure
				for range 5 {
					expect(t, w.ask(v, r), "unknown: "+failure.Error())
				}
				if got := w.count(); got != 1 {
					t.Errorf("within seconds the registry was asked %d times, want once", got)
				}
				w.set(func() { w.failure = nil })
				advance(defaultRetryAfter + 1)
				expect(t, w.ask(v, r), "verified")
			})
		})
	}
}

func TestWhatIsUnsignedIsAskedAgainAfterSeconds(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v, r := w.verifier(), requirement(t, 0)
		unsigned := question(r, webImage, digestOf(2))
		for range 5 {
			expect(t, answer(v.Verify(t.Context(), unsigned)), "rejected")
		}
		if got := w.count(); got != 1 {
			t.Errorf("within seconds the registry was asked %d times, want once", got)
		}
		w.set(func() { w.signed[webImage+"@"+digestOf(2)] = true })
		advance(defaultRetryAfter + 1)
		expect(t, answer(v.Verify(t.Context(), unsigned)), "verified")
	})
}

func TestUnsignedInOneRepositoryIsNotUnsignedInAnother(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v, r := w.verifier(), requirement(t, 0)
		expect(t, answer(v.Verify(t.Context(), question(r, mirrorImage, digestOf(1)))), "rejected")
		expect(t, w.ask(v, r), "verified")
		// A copy without signatures does not take back what was verified elsewhere.
		advance(validFor)
		expect(t, answer(v.Verify(t.Context(), question(r, mirrorImage, digestOf(1)))), "rejected")
		w.set(func() { w.failure = errDown })
		expect(t, w.ask(v, r), "stale: …")
	})
}

func TestRefusedCredentialsOfOneAreNotAnothers(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v, r := w.verifier(), requirement(t, 0)
		w.failure = errForbidden
		expect(t, w.ask(v, r), "unknown: …")
		w.set(func() { w.failure = nil })
		other := question(r, webImage, digestOf(1))
		other.Access = image.Access{Namespace: "prod", PullSecrets: []string{"registry"}}
		expect(t, answer(v.Verify(t.Context(), other)), "verified")
	})
}

func TestVerifiedCountsForABoundedTimeWhileTheRegistryFails(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v, r := w.verifier(), requirement(t, 0)
		expect(t, w.ask(v, r), "verified")
		w.set(func() { w.failure = errDown })
		advance(validFor - 1)
		expect(t, w.ask(v, r), "verified")
		advance(1)
		until := words(time.Now().Add(staleFor))
		expect(t, w.ask(v, r), `stale: registry "registry.example.com" cannot be reached: connection refused; verified 60m ago, counts until `+until)
		advance(staleFor - 1)
		expect(t, w.ask(v, r), "stale: …")
		advance(1)
		expect(t, w.ask(v, r), "unknown: "+errDown.Error())
	})
}

func TestADefiniteNoTakesBackWhatWasVerified(t *testing.T) {
	for name, no := range map[string]struct {
		change func(w *world)
		want   string
	}{
		"the signature is gone": {change: func(w *world) { clear(w.signed) }, want: "rejected"},
		"the image is gone":     {change: func(w *world) { w.failure = image.ErrNotExist }, want: "absent"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				v, r := w.verifier(), requirement(t, 0)
				expect(t, w.ask(v, r), "verified")
				if err := v.book.Save(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.set(func() { no.change(w) })
				advance(validFor)
				expect(t, w.ask(v, r), no.want)
				// A failure right after that brings nothing back, in this process and, once it has stored that, in others.
				w.set(func() { w.failure = errDown })
				advance(defaultRetryAfter + 1)
				expect(t, w.ask(v, r), "unknown: …")
				if err := v.book.Save(t.Context()); err != nil {
					t.Fatal(err)
				}
				expect(t, w.ask(w.verifier(), r), "unknown: …")
			})
		})
	}
}

func TestAHangingRegistryDelaysNobodyTwice(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v, r := w.verifier(), requirement(t, 0)
		expect(t, w.ask(v, r), "verified")
		w.set(func() { w.hangs = true })
		advance(validFor)
		began := time.Now()
		expect(t, w.ask(v, r), `stale: registry "registry.example.com" has not answered within 1s; verified 60m ago, …`)
		if took := time.Since(began); took != defaultPatience {
			t.Errorf("the first caller waited %s, want %s", took, defaultPatience)
		}
		// While questions come in, nobody waits any more, for as long as the registry hangs.
		for range 300 {
			advance(100 * time.Millisecond)
			began := time.Now()
			expect(t, w.ask(v, r), "stale: …")
			if took := time.Since(began); took != 0 {
				t.Fatalf("a caller waited %s", took)
			}
		}
		w.set(func() { w.hangs = false })
		advance(defaultTimeout + defaultRetryAfter)
		expect(t, w.ask(v, r), "verified")
	})
}

func TestAHangingRegistryRefusesTheUnknownInTime(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v, r := w.verifier(), requirement(t, 0)
		w.hangs = true
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		began := time.Now()
		expect(t, answer(v.Verify(ctx, question(r, webImage, digestOf(1)))), `unknown: registry "registry.example.com" did not answer in time…`)
		if took := time.Since(began); took != 4*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestAFailureIsRememberedUntilTheRegistryAnswers(t *testing.T) {
	for name, fault := range map[string]func(w *world, on bool){
		"down":    func(w *world, on bool) { w.failure = map[bool]error{true: errDown}[on] },
		"hanging": func(w *world, on bool) { w.hangs = on },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				v, r := w.verifier(), requirement(t, 0)
				expect(t, w.ask(v, r), "verified")
				advance(validFor)
				w.set(func() { fault(w, true) })
				expect(t, w.ask(v, r), "stale: …")
				// Nobody asks for a while, and then nobody waits all the same.
				advance(40 * time.Second)
				began := time.Now()
				expect(t, w.ask(v, r), "stale: …")
				if took := time.Since(began); took != 0 {
					t.Errorf("a caller waited %s", took)
				}
				// That it answers again is found out before anybody asks.
				w.set(func() { fault(w, false) })
				advance(defaultTimeout + maxProbeInterval)
				asked := w.count()
				expect(t, w.ask(v, r), "verified")
				if got := w.count(); got != asked {
					t.Errorf("the registry was asked %d times more", got-asked)
				}
				// Then the registry is left alone.
				advance(10 * time.Minute)
				if got := w.count(); got != asked {
					t.Errorf("the registry was asked %d times more", got-asked)
				}
			})
		})
	}
}

func TestAFailingRegistryIsNotAskedForEver(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v, r := w.verifier(), requirement(t, 0)
		w.failure = errDown
		expect(t, w.ask(v, r), "unknown: …")
		advance(2 * probeFor)
		pings := w.pings
		if pings < 10 || pings > 30 {
			t.Errorf("the registry was pinged %d times", pings)
		}
		advance(time.Hour)
		if got := w.pings; got != pings {
			t.Errorf("the registry was pinged %d times more", got-pings)
		}
		// What fails may be the question: it is not repeated.
		if got := w.count(); got != 1 {
			t.Errorf("the question that failed was asked %d times, want once", got)
		}
	})
}

func TestEvidenceIsRenewedBeforeItsTimeIsOver(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v, r := w.verifier(), requirement(t, 0)
		expect(t, w.ask(v, r), "verified")
		advance(validFor * 79 / 100)
		expect(t, w.ask(v, r), "verified")
		synctest.Wait()
		if got := w.count(); got != 1 {
			t.Errorf("the registry was asked %d times before the time, want once", got)
		}
		advance(validFor / 50)
		w.set(func() { w.delay = 5 * time.Second })
		began := time.Now()
		expect(t, w.ask(v, r), "verified")
		if took := time.Since(began); took != 0 {
			t.Errorf("the caller waited %s for what it need not know", took)
		}
		advance(6 * time.Second)
		if got := w.count(); got != 2 {
			t.Errorf("the registry was asked %d times, want twice", got)
		}
		advance(validFor / 2)
		expect(t, w.ask(v, r), "verified")
		if got := w.count(); got != 2 {
			t.Errorf("the registry was asked %d times, want twice", got)
		}
	})
}

func TestAgesAreJudgedAtEachQuestion(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v, r := w.verifier(), requirement(t, 30*time.Minute)
		w.attested = time.Now()
		expect(t, w.ask(v, r), "verified")
		// The evidence is fresh, but the scan has become too old: only the registry can tell whether there is a newer one.
		advance(31 * time.Minute)
		expect(t, w.ask(v, r), "rejected")
		if got := w.count(); got != 2 {
			t.Errorf("the registry was asked %d times, want twice", got)
		}
		w.set(func() { w.attested = time.Now() })
		advance(defaultRetryAfter + 1)
		expect(t, w.ask(v, r), "verified")
		// What is too old is not admitted because the registry fails.
		w.set(func() { w.failure = errDown })
		advance(31 * time.Minute)
		expect(t, w.ask(v, r), "unknown: …")
	})
}

func TestOtherKeysAreOtherQuestions(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v, r := w.verifier(), requirement(t, 0)
		expect(t, w.ask(v, r), "verified")
		w.set(func() { w.fingerprint = "f2"; clear(w.signed) })
		advance(preparationAge)
		expect(t, w.ask(v, r), "rejected")
	})
}
