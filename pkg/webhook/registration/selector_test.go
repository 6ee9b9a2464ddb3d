package registration

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apilabels "k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/admission"
)

// relabelled is the update of a Namespace's labels.
func relabelled(t testing.TB, old, now map[string]string) review {
	t.Helper()
	object := func(labels map[string]string) string {
		metadata := map[string]any{"name": "shop"}
		if labels != nil {
			metadata["labels"] = labels
		}
		text, err := json.Marshal(map[string]any{"metadata": metadata})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	return review{"", "namespaces", "", admission.Update, object(now), object(old)}
}

func TestWebhookIsAskedAboutNamespacesThatLeave(t *testing.T) {
	selector := &metav1.LabelSelector{
		MatchLabels:      map[string]string{"tier": "production"},
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "off", Operator: metav1.LabelSelectorOpDoesNotExist}},
	}
	production := map[string]string{"tier": "production"}
	tests := map[string]struct {
		old, now map[string]string
		want     bool
	}{
		"another value":               {production, map[string]string{"tier": "dev"}, true},
		"the label goes":              {production, map[string]string{"other": "x"}, true},
		"all labels go":               {production, nil, true},
		"a label that must not be":    {production, map[string]string{"tier": "production", "off": ""}, true},
		"another label":               {production, map[string]string{"tier": "production", "team": "a"}, false},
		"nothing changes":             {production, production, false},
		"it comes in":                 {nil, production, false},
		"it was never in":             {map[string]string{"tier": "dev"}, map[string]string{"tier": "test"}, false},
		"no labels before and after":  {nil, nil, false},
		"it was out because of a key": {map[string]string{"tier": "production", "off": "x"}, map[string]string{"tier": "dev"}, false},
	}
	for _, minor := range []uint{30, 37} {
		m := matcher(t, minor, leaving(selector))
		for name, test := range tests {
			if got := relabelled(t, test.old, test.now).asked(t, m); got != test.want {
				t.Errorf("1.%d: %s: asked=%v", minor, name, got)
			}
		}
	}
}

// anySelector draws from few keys and values, so that selectors match often.
func anySelector(r *rand.Rand) *metav1.LabelSelector {
	keys := []string{"a", "tier", "example.com/a_b.c", "kubernetes.io/metadata.name"}
	values := []string{"", "x", "Y-1.z_0", "production", "null", "true", "0"}
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	selector := &metav1.LabelSelector{}
	for range r.IntN(3) {
		if selector.MatchLabels == nil {
			selector.MatchLabels = map[string]string{}
		}
		selector.MatchLabels[pick(keys)] = pick(values)
	}
	for range r.IntN(4) {
		requirement := metav1.LabelSelectorRequirement{Key: pick(keys)}
		switch r.IntN(4) {
		case 0:
			requirement.Operator = metav1.LabelSelectorOpExists
		case 1:
			requirement.Operator = metav1.LabelSelectorOpDoesNotExist
		case 2:
			requirement.Operator = metav1.LabelSelectorOpIn
		case 3:
			requirement.Operator = metav1.LabelSelectorOpNotIn
		}
		if requirement.Operator == metav1.LabelSelectorOpIn || requirement.Operator == metav1.LabelSelectorOpNotIn {
			for range 1 + r.IntN(3) {
				requirement.Values = append(requirement.Values, pick(values))
			}
		}
		selector.MatchExpressions = append(selector.MatchExpressions, requirement)
	}
	if len(selector.MatchLabels)+len(selector.MatchExpressions) == 0 {
		selector.MatchLabels = map[string]string{pick(keys): pick(values)}
	}
	return selector
}

func anyLabels(r *rand.Rand) map[string]string {
	values := []string{"", "x", "Y-1.z_0", "production", "null", "true", "0", `"`, `\`}
	labels := map[string]string{}
	for _, key := range []string{"a", "tier", "example.com/a_b.c", "kubernetes.io/metadata.name"} {
		if r.IntN(3) > 0 {
			labels[key] = values[r.IntN(len(values))]
		}
	}
	return labels
}

// TestSelectorsMeanTheSameInCEL compares with what the API server's namespaceSelector does: else a namespace could
// leave an entry without anybody being asked.
func TestSelectorsMeanTheSameInCEL(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 30 {
		selector := anySelector(r)
		want, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil {
			t.Fatal(err)
		}
		m := matcher(t, 37, leaving(selector))
		for range 30 {
			old, now := anyLabels(r), anyLabels(r)
			leaves := want.Matches(apilabels.Set(old)) && !want.Matches(apilabels.Set(now))
			if got := relabelled(t, old, now).asked(t, m); got != leaves {
				t.Errorf("%s: %v → %v: asked=%v", want, old, now, got)
			}
		}
	}
}

func TestStringsAreQuotedForCEL(t *testing.T) {
	for _, text := range []string{"", "plain", `"`, `'`, `\`, "\n\t\x00\x7f", `\u0041`, "ü€😀", "a\xffb", `" || true || "`} {
		condition := admissionregistrationv1.MatchCondition{Name: "x", Expression: "object.text == " + quote(text)}
		m := matcher(t, 30, []admissionregistrationv1.MatchCondition{condition})
		object, err := json.Marshal(map[string]any{"text": text})
		if err != nil {
			t.Fatal(err)
		}
		if !(review{"", "x", "", admission.Create, string(object), ""}).asked(t, m) {
			t.Errorf("%q: %s", text, quote(text))
		}
		if (review{"", "x", "", admission.Create, `{"text":"something else"}`, ""}).asked(t, m) {
			t.Errorf("%q matches something else", text)
		}
	}
}

func TestLargestSelectorIsParsed(t *testing.T) {
	selector := &metav1.LabelSelector{}
	for terms(selector) <= maxSelectorTerms-2 {
		selector.MatchExpressions = append(selector.MatchExpressions, metav1.LabelSelectorRequirement{
			Key:      strings.Repeat("a", 253) + "/" + strings.Repeat("b", 60) + fmt.Sprint(100+len(selector.MatchExpressions)),
			Operator: metav1.LabelSelectorOpNotIn, Values: []string{strings.Repeat("v", 63)},
		})
	}
	m := matcher(t, 30, leaving(selector))
	if relabelled(t, map[string]string{"a": "b"}, nil).asked(t, m) {
		t.Error("it matches all the time")
	}
}
