package signature

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// TestNoHistoryAdmitsWhatItMustNot lets a registry sign, unsign, fail, hang and lose an image at random while it is
// asked, and holds every answer against what the registry last said.
func TestNoHistoryAdmitsWhatItMustNot(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) { history(t, w, rand.New(rand.NewPCG(seed, 4))) })
		})
	}
}

func history(t *testing.T, w *world, random *rand.Rand) {
	t.Helper()
	v, r := w.verifier(), requirement(t, 0)
	ref := webImage + "@" + digestOf(1)
	// lastYes and lastNo are when the registry could last have said that the image is signed or not, and healthySince
	// is when it last began to answer.
	var lastYes, lastNo, healthySince time.Time
	// said notes what whoever asked at this moment was told.
	said := func() {
		switch {
		case w.failure != nil || w.hangs:
		case w.signed[ref]:
			lastYes = time.Now()
		default:
			lastNo = time.Now()
		}
	}
	for step := range 200 {
		// A failing registry is asked in the background too, until it changes its mind.
		said()
		w.set(func() {
			switch random.IntN(8) {
			case 0:
				w.failure, w.hangs = nil, false
				w.signed[ref] = true
			case 1:
				w.failure, w.hangs = nil, false
				delete(w.signed, ref)
			case 2:
				w.failure, w.hangs = errDown, false
			case 3:
				w.failure, w.hangs = nil, true
			case 4:
				w.failure, w.hangs = image.ErrNotExist, false
			}
		})
		healthy := w.failure == nil && !w.hangs
		switch {
		case !healthy:
			healthySince = time.Time{}
		case healthySince.IsZero():
			healthySince = time.Now()
		}
		if random.IntN(10) == 0 {
			if err := v.book.Save(t.Context()); err != nil {
				t.Fatal(err)
			}
			v = w.verifier()
			if err := v.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		got := w.ask(v, r)
		now := time.Now()
		said()
		age := now.Sub(lastYes)
		switch kind, _, _ := strings.Cut(got, ": "); kind {
		case "verified":
			if age > validFor {
				t.Fatalf("step %d: fresh after %s", step, age)
			}
		case "stale":
			if age > validFor+staleFor {
				t.Fatalf("step %d: stale after %s", step, age)
			}
			if healthy && now.Sub(healthySince) > defaultTimeout+failureMemory {
				t.Fatalf("step %d: stale although the registry has answered for %s", step, now.Sub(healthySince))
			}
		case "rejected":
			if now.Sub(lastNo) > defaultRetryAfter {
				t.Fatalf("step %d: rejected %s after the registry last said so", step, now.Sub(lastNo))
			}
		}
		advance([]time.Duration{0, time.Second, 4 * time.Second, time.Minute, 50 * time.Minute, 5 * time.Hour}[random.IntN(6)])
	}
}
