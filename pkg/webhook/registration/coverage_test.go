package registration

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// born is an Environment of a certain age.
func born(minute int, name string, namespaces ...string) *v1alpha1.Environment {
	e := environment(name, namespaces...)
	e.CreationTimestamp = metav1.NewTime(time.Date(2026, 3, 1, 11, minute, 0, 0, time.UTC))
	return e
}

// selected returns what the entries of both configurations select, and fails where they differ.
func (w *world) selected(t *testing.T) map[string][]string {
	t.Helper()
	mutating, validating := map[string][]string{}, map[string][]string{}
	for _, entry := range w.mutating(t).Webhooks {
		mutating[entry.Name] = selectedBy(entry.NamespaceSelector)
	}
	for _, entry := range w.validating(t).Webhooks {
		if !strings.HasSuffix(entry.Name, entrySuffix) {
			continue
		}
		validating[strings.TrimSuffix(entry.Name, entrySuffix)] = selectedBy(entry.NamespaceSelector)
		if diff := cmp.Diff(mutating[entry.Name], selectedBy(entry.NamespaceSelector)); diff != "" {
			t.Errorf("entry %s (-mutating +validating):\n%s", entry.Name, diff)
		}
	}
	return validating
}

func TestNamespaceOfTwoEnvironmentsBelongsToTheOlder(t *testing.T) {
	tests := map[string]struct {
		environments []*v1alpha1.Environment
		want         map[string][]string
		// refused names the Environments with a conflict and the owner that its message must name.
		refused map[string]string
	}{
		"the older one owns it, whatever its name": {
			environments: []*v1alpha1.Environment{born(2, "a", "shop", "own"), born(1, "b", "shop")},
			want:         map[string][]string{"a": {"own"}, "b": {"shop"}},
			refused:      map[string]string{"a": "b"},
		},
		"of the same age, the first by name": {
			environments: []*v1alpha1.Environment{born(1, "b", "shop", "own"), born(1, "a", "shop")},
			want:         map[string][]string{"a": {"shop"}, "b": {"own"}},
			refused:      map[string]string{"b": "a"},
		},
		"one that has nothing else has no entry": {
			environments: []*v1alpha1.Environment{born(1, "a", "shop"), born(2, "b", "shop")},
			want:         map[string][]string{"a": {"shop"}},
			refused:      map[string]string{"b": "a"},
		},
		"the oldest of three": {
			environments: []*v1alpha1.Environment{born(3, "a", "shop"), born(2, "b", "shop"), born(1, "c", "shop")},
			want:         map[string][]string{"c": {"shop"}},
			refused:      map[string]string{"a": "c", "b": "c"},
		},
		"without a conflict all are enforced": {
			environments: []*v1alpha1.Environment{born(1, "a", "x"), born(2, "b", "y")},
			want:         map[string][]string{"a": {"x"}, "b": {"y"}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, test.environments...)
			w.settled(t)
			if diff := cmp.Diff(test.want, w.selected(t)); diff != "" {
				t.Errorf("namespaces by Environment (-want +got):\n%s", diff)
			}
			for _, e := range test.environments {
				got, owner := w.enforced(t, e.Name), test.refused[e.Name]
				if owner == "" {
					if got.Status != metav1.ConditionTrue {
						t.Errorf("%s: %+v", e.Name, got)
					}
					continue
				}
				message := `namespace "shop" is named by Environment "` + e.Name + `" and by the older Environment "` + owner + `"`
				if got.Status != metav1.ConditionFalse || got.Reason != ReasonNamespaceConflict || !strings.Contains(got.Message, message) {
					t.Errorf("%s: %+v, want %q", e.Name, got, message)
				}
			}
		})
	}
}

func TestYoungerEnvironmentTakesOverWhenTheOlderGoes(t *testing.T) {
	w := newWorld(t, born(1, "old", "shop"), born(2, "young", "shop"))
	w.settled(t)
	if err := w.client.Delete(t.Context(), w.environment(t, "old")); err != nil {
		t.Fatal(err)
	}
	w.settled(t)
	if diff := cmp.Diff(map[string][]string{"young": {"shop"}}, w.selected(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := w.enforced(t, "young"); got.Status != metav1.ConditionTrue {
		t.Errorf("%+v", got)
	}
}

func TestUnreadableEnvironmentKeepsItsEntryAndTheOthersGoOn(t *testing.T) {
	unreadable := func(spec map[string]any) {
		spec["delivery"] = map[string]any{"deadline": "banana"}
	}
	tests := map[string]struct {
		change func(spec map[string]any)
		want   []string
	}{
		"a duration, the namespaces count": {
			change: func(spec map[string]any) { unreadable(spec); spec["namespaces"] = []any{"shop", "more"} },
			want:   []string{"more", "shop"},
		},
		"its namespaces are no list": {
			change: func(spec map[string]any) { spec["namespaces"] = "shop" },
			want:   []string{"shop"},
		},
		"one of its namespaces is no name": {
			change: func(spec map[string]any) { spec["namespaces"] = []any{"more", int64(5)} },
			want:   []string{"more", "shop"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, born(1, "bad", "shop"), born(2, "good", "else"))
			w.settled(t)
			w.stored["bad"] = test.change
			w.restart()
			w.settled(t)
			if diff := cmp.Diff(map[string][]string{"bad": test.want, "good": {"else"}}, w.selected(t)); diff != "" {
				t.Errorf("namespaces by Environment (-want +got):\n%s", diff)
			}
			if got := w.enforced(t, "bad"); got.Status != metav1.ConditionFalse || got.Reason != ReasonUnreadable ||
				!strings.Contains(got.Message, `Environment "bad" cannot be read`) || !strings.Contains(got.Message, "kubectl edit") {
				t.Errorf("bad: %+v", got)
			}
			if got := w.enforced(t, "good"); got.Status != metav1.ConditionTrue {
				t.Errorf("good: %+v", got)
			}
			// What is repaired is enforced again.
			delete(w.stored, "bad")
			w.settled(t)
			if got := w.enforced(t, "bad"); got.Status != metav1.ConditionTrue {
				t.Errorf("repaired: %+v", got)
			}
		})
	}
}

func TestEnvironmentThatWasNeverReadableGetsItsEntry(t *testing.T) {
	w := newWorld(t, born(1, "bad", "shop"))
	w.stored["bad"] = func(spec map[string]any) { spec["rules"] = "banana" }
	w.settled(t)
	if diff := cmp.Diff(map[string][]string{"bad": {"shop"}}, w.selected(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
