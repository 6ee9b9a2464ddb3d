package stored

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

func TestEnvironmentsAreListedReadableOrNot(t *testing.T) {
	builder := fake.NewClientBuilder().WithScheme(runtime.NewScheme())
	for name, spec := range map[string]map[string]any{
		"b-good": {"namespaces": []any{"shop"}},
		"a-bad":  {"namespaces": []any{"pay"}, "rules": "banana"},
		"c-bad":  {"namespaces": []any{"pay", int64(5)}},
	} {
		object := Object(v1alpha1.KindEnvironment)
		object.Object["spec"] = spec
		object.SetName(name)
		builder = builder.WithObjects(object)
	}
	all, err := Environments(t.Context(), builder.Build())
	if err != nil {
		t.Fatal(err)
	}
	type entry struct {
		Name            string
		Namespaces      []string
		Readable, Known bool
	}
	var got []entry
	for i := range all {
		got = append(got, entry{all[i].Name, all[i].Spec.Namespaces, all[i].Err == nil, all[i].NamespacesKnown})
	}
	want := []entry{{"a-bad", []string{"pay"}, false, true}, {"b-good", []string{"shop"}, true, true}, {"c-bad", []string{"pay"}, false, false}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatCanBeReadOfAnUnreadableEnvironmentIsKept(t *testing.T) {
	kind := map[string]any{"group": "argoproj.io", "kind": "Rollout", "resource": "rollouts", "templatePath": "spec.template"}
	selector := map[string]any{"matchLabels": map[string]any{"tier": "production"}}
	tests := map[string]struct {
		spec                        map[string]any
		names, selectorKnown, kinds bool
	}{
		"everything but a rule": {
			spec:  map[string]any{"namespaces": []any{"a"}, "namespaceSelector": selector, "workloadKinds": []any{kind}},
			names: true, selectorKnown: true, kinds: true,
		},
		"nothing is said about namespaces": {spec: map[string]any{}, names: true, selectorKnown: true, kinds: true},
		"the selector is no selector": {
			spec: map[string]any{"namespaceSelector": "banana", "workloadKinds": []any{kind}}, names: true, kinds: true,
		},
		"the kinds are no kinds": {
			spec: map[string]any{"namespaceSelector": selector, "workloadKinds": []any{"Rollout"}}, names: true, selectorKnown: true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			object := Object(v1alpha1.KindEnvironment)
			test.spec["rules"] = "banana"
			object.Object["spec"] = test.spec
			object.SetName("bad")
			got := newEnvironment(object)
			if got.Err == nil {
				t.Fatal("it can be read")
			}
			if got.NamespacesKnown != test.names || got.SelectorKnown != test.selectorKnown || got.KindsKnown != test.kinds {
				t.Errorf("names %v, selector %v, kinds %v", got.NamespacesKnown, got.SelectorKnown, got.KindsKnown)
			}
			if _, asked := test.spec["namespaceSelector"]; asked && test.selectorKnown && got.Spec.NamespaceSelector.MatchLabels["tier"] != "production" {
				t.Errorf("selector %+v", got.Spec.NamespaceSelector)
			}
			if _, asked := test.spec["workloadKinds"]; asked && test.kinds && (len(got.Spec.WorkloadKinds) != 1 || got.Spec.WorkloadKinds[0].Resource != "rollouts") {
				t.Errorf("kinds %+v", got.Spec.WorkloadKinds)
			}
		})
	}
}
