package signature

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

func TestATagIsAskedEachTime(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v := w.verifier()
		ref, err := image.Parse(webImage + ":v1")
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= 3; n++ {
			w.set(func() { w.tags[ref.String()] = digestOf(n) })
			got, err := v.Resolve(t.Context(), image.Access{}, ref)
			if diff := cmp.Diff(image.Resolution{Digest: digestOf(n)}, got); diff != "" || err != nil {
				t.Errorf("the tag names something else (%v):\n%s", err, diff)
			}
		}
	})
}

func TestWhatATagNamedLastCountsForADayWhileTheRegistryFails(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v := w.verifier()
		ref, err := image.Parse(webImage + ":v1")
		if err != nil {
			t.Fatal(err)
		}
		w.tags[ref.String()] = digestOf(1)
		if _, err := v.Resolve(t.Context(), image.Access{}, ref); err != nil {
			t.Fatal(err)
		}
		w.set(func() { w.failure = errDown })
		advance(tagMemory - 1)
		got, err := v.Resolve(t.Context(), image.Access{}, ref)
		if err != nil || got.Digest != digestOf(1) || !strings.HasPrefix(got.Stale, errDown.Error()+"; the tag named sha256:") {
			t.Errorf("the tag names %+v, %v", got, err)
		}
		// Others' credentials are another question.
		if _, err := v.Resolve(t.Context(), image.Access{Namespace: "other"}, ref); !errors.Is(err, errDown) {
			t.Errorf("another namespace got %v", err)
		}
		advance(1)
		if _, err := v.Resolve(t.Context(), image.Access{}, ref); !errors.Is(err, errDown) {
			t.Errorf("after a day: %v", err)
		}
	})
}

func TestASlowRegistryIsWaitedForWhereATagMayHaveMoved(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v, r := w.verifier(), requirement(t, 0)
		ref, err := image.Parse(webImage + ":v1")
		if err != nil {
			t.Fatal(err)
		}
		resolve := func() image.Resolution {
			ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
			defer cancel()
			got, err := v.Resolve(ctx, image.Access{}, ref)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		w.tags[ref.String()] = digestOf(1)
		resolve()
		expect(t, w.ask(v, r), "verified")
		advance(validFor)
		w.set(func() { w.delay = 4 * time.Second; w.tags[ref.String()] = digestOf(2) })
		// Evidence cannot have become wrong, and others do not wait for it.
		expect(t, w.ask(v, r), `stale: registry "registry.example.com" has not answered within 1s…`)
		if got := resolve(); got != (image.Resolution{Digest: digestOf(2)}) {
			t.Errorf("of a slow registry: %+v", got)
		}
		// A registry that hangs leaves time for what is done with the last answer.
		w.set(func() { w.hangs = true })
		began := time.Now()
		if got := resolve(); got.Digest != digestOf(2) || !strings.Contains(got.Stale, "has not answered within 6s") {
			t.Errorf("of a registry that hangs: %+v", got)
		}
		if took := time.Since(began); took != 6*time.Second {
			t.Errorf("it took %s", took)
		}
		// Once it is known to fail, nobody waits.
		advance(defaultTimeout)
		began = time.Now()
		if got := resolve(); got.Stale == "" || time.Since(began) != 0 {
			t.Errorf("of a registry that fails: %+v after %s", got, time.Since(began))
		}
	})
}

func TestATagThatIsGoneIsGone(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		v := w.verifier()
		ref, err := image.Parse(webImage + ":v1")
		if err != nil {
			t.Fatal(err)
		}
		w.tags[ref.String()] = digestOf(1)
		if _, err := v.Resolve(t.Context(), image.Access{}, ref); err != nil {
			t.Fatal(err)
		}
		w.set(func() { clear(w.tags) })
		if _, err := v.Resolve(t.Context(), image.Access{}, ref); !errors.Is(err, image.ErrNotExist) {
			t.Errorf("got %v", err)
		}
		w.set(func() { w.failure = errDown })
		advance(defaultRetryAfter + 1)
		if _, err := v.Resolve(t.Context(), image.Access{}, ref); !errors.Is(err, errDown) {
			t.Errorf("got %v", err)
		}
	})
}
