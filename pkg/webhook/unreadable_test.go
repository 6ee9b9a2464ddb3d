package webhook

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/stored"
)

// newUntypedClient holds objects as an API server does, whatever the types of this build say.
func newUntypedClient(kind string, specs map[string]map[string]any) client.Client {
	builder := fake.NewClientBuilder().WithScheme(runtime.NewScheme())
	for name, spec := range specs {
		object := stored.Object(kind)
		object.Object["spec"] = spec
		object.SetName(name)
		builder = builder.WithObjects(object)
	}
	return builder.Build()
}

func TestOneUnreadableEnvironmentLeavesTheOthers(t *testing.T) {
	c := newUntypedClient(v1alpha1.KindEnvironment, map[string]map[string]any{
		"good": {"namespaces": []any{"shop"}},
		"bad":  {"namespaces": []any{"shop"}, "delivery": map[string]any{"deadline": "banana"}},
	})
	p := newPolicies(c, c)
	if got, err := p.Environment(t.Context(), "good"); err != nil || !got.HasNamespace("shop") {
		t.Errorf("good: %+v, %v", got, err)
	}
	_, err := p.Environment(t.Context(), "bad")
	if err == nil || apierrors.IsNotFound(err) || !strings.Contains(err.Error(), `Environment "bad" cannot be read`) {
		t.Errorf("bad: %v", err)
	}
	if !p.known(t.Context(), "bad") {
		t.Error("the metrics take it for made up")
	}
}

func TestUnreadableImagePolicyIsAnErrorWhereItCounts(t *testing.T) {
	good := map[string]any{"environments": []any{"staging", "production"}}
	tests := map[string]struct {
		bad map[string]any
		// refused are the environments that cannot be judged.
		refused []string
	}{
		"it counts in one environment": {
			bad: map[string]any{"environments": []any{"production"}, "images": "banana"}, refused: []string{"production"},
		},
		"where it counts cannot be read either": {
			bad: map[string]any{"environments": []any{int64(5)}}, refused: []string{"production", "staging"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newUntypedClient(v1alpha1.KindImagePolicy, map[string]map[string]any{"good": good, "bad": test.bad})
			p := newPolicies(c, c)
			for _, environment := range []string{"production", "staging"} {
				got, err := p.ImagePolicies(t.Context(), environment)
				refused := slices.Contains(test.refused, environment)
				if refused && (err == nil || !strings.Contains(err.Error(), `ImagePolicy "bad" cannot be read`)) {
					t.Errorf("%s: %v", environment, err)
				}
				if !refused && (err != nil || len(got) != 1 || got[0].Name != "good") {
					t.Errorf("%s: %v, %v", environment, got, err)
				}
			}
		})
	}
}

func TestCertificateWaitsForNoCache(t *testing.T) {
	broken := errors.New("cannot decode")
	var done []string
	step := func(name string, err error) func(context.Context) error {
		return func(context.Context) error { done = append(done, name); return err }
	}
	err := prepare(t.Context(), step("certificate", nil), step("seal key", nil), step("caches", broken))
	if !errors.Is(err, broken) {
		t.Errorf("error %v: it would be ready without its caches", err)
	}
	if diff := cmp.Diff([]string{"certificate", "seal key", "caches"}, done); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// informers is a fake cache that notes what it is asked for.
type informers struct {
	cache.Informers
	asked []client.Object
}

func (i *informers) GetInformer(_ context.Context, object client.Object, _ ...cache.InformerGetOption) (cache.Informer, error) {
	i.asked = append(i.asked, object)
	return nil, nil
}

// Typed informers would lose all objects of a kind over one that they cannot decode.
func TestCachesAreUntyped(t *testing.T) {
	fake := &informers{}
	if err := syncPolicies(t.Context(), fake); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, object := range fake.asked {
		if _, ok := object.(*unstructured.Unstructured); !ok {
			t.Errorf("%T is watched", object)
		}
		kinds = append(kinds, object.GetObjectKind().GroupVersionKind().Kind)
	}
	if diff := cmp.Diff([]string{v1alpha1.KindEnvironment, v1alpha1.KindImagePolicy}, kinds); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
