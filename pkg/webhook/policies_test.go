package webhook

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

func TestEnvironmentIsDecodedOncePerVersion(t *testing.T) {
	c := newFakeClient(t,
		&v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "production"}},
		&v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "staging"}})
	p := newPolicies(c, c)
	get := func(name string) *v1alpha1.Environment {
		t.Helper()
		environment, err := p.Environment(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return environment
	}
	first, other := get("production"), get("staging")
	if get("production") != first {
		t.Error("the same version was decoded twice")
	}
	live := newPolicies(newFakeClient(t), c)
	fromLive, err := live.Environment(t.Context(), "production")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := live.Environment(t.Context(), "production"); err != nil || again != fromLive {
		t.Errorf("read live, the same version was decoded twice (%v)", err)
	}

	changed := first.DeepCopy()
	changed.Spec.Purpose = "another"
	if err := c.Update(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	if now := get("production"); now == first || now.Spec.Purpose != "another" {
		t.Errorf("a new version is not seen: %+v", now.Spec)
	}
	if get("staging") != other {
		t.Error("a change of one Environment made another one anew")
	}

	if err := c.Delete(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	if err := c.Create(t.Context(), &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "production", UID: "2"}}); err != nil {
		t.Fatal(err)
	}
	if now := get("production"); now.UID != "2" {
		t.Errorf("one that was replaced is still the old one: %+v", now.ObjectMeta)
	}
}

func TestEnvironmentOfANamespace(t *testing.T) {
	byLabel := func(name string, labels map[string]string) *v1alpha1.Environment {
		e := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: name}}
		e.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: labels}
		return e
	}
	byName := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "named"}, Spec: v1alpha1.EnvironmentSpec{Namespaces: []string{"shop"}}}
	namespace := func(name, tier string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"tier": tier}}}
	}
	live := newFakeClient(t, byName, byLabel("labelled", map[string]string{"tier": "production"}),
		namespace("shop", "production"), namespace("pay", "production"), namespace("dev", "dev"))
	// The cache knows nothing yet: a stamp must not depend on it.
	p := newPolicies(newFakeClient(t), live)
	for of, want := range map[string]string{"shop": "named", "pay": "labelled", "dev": ""} {
		if got, err := p.EnvironmentOf(t.Context(), of); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", of, got, err, want)
		}
	}
	if _, err := p.EnvironmentOf(t.Context(), "gone"); err == nil || !strings.Contains(err.Error(), `Namespace "gone"`) {
		t.Errorf("a namespace that cannot be read: %v", err)
	}
}

func TestNamespaceIsReadOnlyWhereLabelsCount(t *testing.T) {
	byName := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "named"}, Spec: v1alpha1.EnvironmentSpec{Namespaces: []string{"shop"}}}
	live := interceptor.NewClient(newFakeClient(t, byName), interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return errors.New("nobody should ask")
		},
	})
	if got, err := newPolicies(newFakeClient(t), live).EnvironmentOf(t.Context(), "shop"); err != nil || got != "named" {
		t.Errorf("%q, %v", got, err)
	}
}
