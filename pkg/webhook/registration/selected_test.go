package registration

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// labelled is an Environment that selects by one label.
func labelled(minute int, name, key, value string, namespaces ...string) *v1alpha1.Environment {
	e := born(minute, name, namespaces...)
	e.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{key: value}}
	return e
}

func (w *world) entry(t *testing.T, name string) *admissionregistrationv1.ValidatingWebhook {
	t.Helper()
	for _, entry := range w.validating(t).Webhooks {
		if entry.Name == name {
			return &entry
		}
	}
	return nil
}

func (w *world) namespace(t *testing.T, name string, labels map[string]string) {
	t.Helper()
	if err := w.client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}); err != nil {
		t.Fatal(err)
	}
}

func TestSelectorHasEntriesOfItsOwn(t *testing.T) {
	w := newWorld(t, labelled(1, "production", "tier", "production", "shop"), born(2, "staging", "pay"))
	w.settled(t)
	want := []string{
		"production.environments.rune.runeframeos.com",
		"production.selected.environments.rune.runeframeos.com",
		"production.namespaces.rune.runeframeos.com",
		"staging.environments.rune.runeframeos.com",
	}
	if diff := cmp.Diff(want, names(w.validating(t))); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	listed := metav1.LabelSelectorRequirement{
		Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpNotIn,
		Values: []string{"kube-node-lease", "kube-public", "kube-system", "pay", "rune-system", "shop"},
	}
	selected := w.entry(t, want[1])
	if diff := cmp.Diff(&metav1.LabelSelector{
		MatchLabels: map[string]string{"tier": "production"}, MatchExpressions: []metav1.LabelSelectorRequirement{listed},
	}, selected.NamespaceSelector); diff != "" {
		t.Errorf("by label (-want +got):\n%s", diff)
	}
	if path := *selected.ClientConfig.Service.Path; path != "/validate/production" || *selected.FailurePolicy != admissionregistrationv1.Fail {
		t.Errorf("path %q, %s", path, *selected.FailurePolicy)
	}
	leaves := w.entry(t, want[2])
	if diff := cmp.Diff(&metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{listed}}, leaves.NamespaceSelector); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
	if path := *leaves.ClientConfig.Service.Path; path != "/namespace/production" || len(leaves.MatchConditions) != 2 || *leaves.FailurePolicy != admissionregistrationv1.Fail {
		t.Errorf("path %q, %d conditions, %s", path, len(leaves.MatchConditions), *leaves.FailurePolicy)
	}
	if !slices.Contains(leaves.Rules[0].Resources, "namespaces/status") || !slices.Equal(leaves.Rules[0].Operations, []admissionregistrationv1.OperationType{"UPDATE"}) {
		t.Errorf("rules %+v", leaves.Rules)
	}
	if n := len(w.mutating(t).Webhooks); n != 3 {
		t.Errorf("%d mutating entries", n)
	}
	if got := w.enforced(t, "production"); got.Status != metav1.ConditionTrue || !strings.Contains(got.Message, `namespace "shop" and namespaces with labels that match "tier=production"`) {
		t.Errorf("%+v", got)
	}
}

func TestAllEntriesSuppressTheirSideEffectsOnDryRun(t *testing.T) {
	w := newWorld(t, labelled(1, "production", "tier", "production", "shop"))
	w.settled(t)
	for _, entry := range w.validating(t).Webhooks {
		if *entry.SideEffects != admissionregistrationv1.SideEffectClassNoneOnDryRun || *entry.TimeoutSeconds > 10 {
			t.Errorf("%s: %s, %d s", entry.Name, *entry.SideEffects, *entry.TimeoutSeconds)
		}
	}
	for _, entry := range w.mutating(t).Webhooks {
		if *entry.SideEffects != admissionregistrationv1.SideEffectClassNoneOnDryRun {
			t.Errorf("%s: %s", entry.Name, *entry.SideEffects)
		}
	}
}

func TestEntryNamesOfAllEnvironmentsDiffer(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"x", "x.selected", "x.namespaces", "x.selected.selected", strings.Repeat("a", 253), strings.Repeat("a", 240)} {
		for _, entry := range []string{entryName(name), selectedName(name), namespaceEntryName(name)} {
			if other, taken := seen[entry]; taken {
				t.Errorf("%q and %q have an entry %s", name, other, entry)
			}
			if len(entry) > maxEntryName {
				t.Errorf("%s has %d characters", entry, len(entry))
			}
			seen[entry] = name
		}
	}
}

func TestSelectorThatIsNoneKeepsNobodyElseFromBeingEnforced(t *testing.T) {
	large := make([]string, maxSelectorTerms+1)
	for i := range large {
		large[i] = strings.Repeat("a", 1+i%60)
	}
	for name, requirement := range map[string]metav1.LabelSelectorRequirement{
		"an operator that nobody knows": {Key: "tier", Operator: "Like", Values: []string{"x"}},
		"a value that no label has":     {Key: "tier", Operator: metav1.LabelSelectorOpIn, Values: []string{"a b"}},
		"no values":                     {Key: "tier", Operator: metav1.LabelSelectorOpIn},
		"too large":                     {Key: "tier", Operator: metav1.LabelSelectorOpIn, Values: large},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, labelled(1, "bad", "tier", "production", "shop"), born(2, "good", "pay"))
			w.settled(t)
			before := w.entry(t, selectedName("bad"))
			bad := w.environment(t, "bad")
			bad.Generation++
			bad.Spec.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{requirement}}
			if err := w.client.Update(t.Context(), bad); err != nil {
				t.Fatal(err)
			}
			w.settled(t)
			if diff := cmp.Diff(before, w.entry(t, selectedName("bad"))); diff != "" {
				t.Errorf("what was selected is free (-want +got):\n%s", diff)
			}
			if got := w.enforced(t, "bad"); got.Status != metav1.ConditionFalse || got.Reason != ReasonInvalidSelector {
				t.Errorf("%+v", got)
			}
			if got := w.enforced(t, "good"); got.Status != metav1.ConditionTrue {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestUnreadableSelectorKeepsTheEntryInPlace(t *testing.T) {
	w := newWorld(t, labelled(1, "bad", "tier", "production"))
	w.settled(t)
	selected, leaves := w.entry(t, selectedName("bad")), w.entry(t, namespaceEntryName("bad"))
	w.stored["bad"] = func(spec map[string]any) { spec["namespaceSelector"] = "banana" }
	w.settled(t)
	if diff := cmp.Diff(selected, w.entry(t, selectedName("bad"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(leaves, w.entry(t, namespaceEntryName("bad"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := w.enforced(t, "bad"); got.Reason != ReasonUnreadable || !strings.Contains(got.Message, "tier=production") {
		t.Errorf("%+v", got)
	}
}

func TestNamespaceOfTwoSelectorsIsSaidOfTheYounger(t *testing.T) {
	w := newWorld(t, labelled(1, "old", "tier", "production"), labelled(2, "young", "team", "shop"), born(3, "named", "own"))
	both := map[string]string{"tier": "production", "team": "shop"}
	w.namespace(t, "shared", both)
	w.namespace(t, "own", both)
	w.namespace(t, "kube-system", both)
	w.namespace(t, "apart", map[string]string{"tier": "production"})
	w.settled(t)
	got := w.enforced(t, "young")
	if got.Status != metav1.ConditionFalse || got.Reason != ReasonNamespaceConflict ||
		!strings.Contains(got.Message, `namespace "shared" is selected by Environment "young" and by the older Environment "old"`) {
		t.Errorf("young: %+v", got)
	}
	for _, other := range []string{"own", "kube-system", "apart"} {
		if strings.Contains(got.Message, `"`+other+`"`) {
			t.Errorf("%s is no conflict: %s", other, got.Message)
		}
	}
	for _, name := range []string{"old", "named"} {
		if got := w.enforced(t, name); got.Status != metav1.ConditionTrue {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestRulesThatNobodyCanJudgeByAreSaid(t *testing.T) {
	w := newWorld(t, born(1, "bad", "shop"), born(2, "good", "pay"))
	w.invalid["bad"] = errors.Join(errors.New("custom rule one"), errors.New("custom rule two"))
	w.settled(t)
	if w.entry(t, entryName("bad")) == nil {
		t.Error("its entry is gone: nobody refuses anything")
	}
	if got := w.enforced(t, "bad"); got.Status != metav1.ConditionFalse || got.Reason != ReasonInvalidRules ||
		!strings.Contains(got.Message, `in namespace "shop" is refused: custom rule one; custom rule two`) {
		t.Errorf("%+v", got)
	}
	if got := w.enforced(t, "good"); got.Status != metav1.ConditionTrue {
		t.Errorf("%+v", got)
	}
	before := w.compilations
	w.reconcile(t)
	if w.compilations != before {
		t.Error("what did not change was compiled again")
	}
	delete(w.invalid, "bad")
	bad := w.environment(t, "bad")
	bad.Generation++
	if err := w.client.Update(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	w.settled(t)
	if got := w.enforced(t, "bad"); got.Status != metav1.ConditionTrue {
		t.Errorf("corrected: %+v", got)
	}
}
