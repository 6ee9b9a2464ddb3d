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
