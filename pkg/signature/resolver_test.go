package signature

import (
	"errors"
	"strings"
	"testing"

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
