package v1alpha1_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

func TestOwner(t *testing.T) {
	born := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	environment := func(name string, age time.Duration, namespaces ...string) v1alpha1.Environment {
		return v1alpha1.Environment{
			ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(born.Add(-age))},
			Spec:       v1alpha1.EnvironmentSpec{Namespaces: namespaces},
		}
	}
	selecting := func(name string, age time.Duration, namespaces ...string) v1alpha1.Environment {
		e := environment(name, age, namespaces...)
		e.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"stage": "live"}}
		return e
	}
	empty := environment("a", 0)
	empty.Spec.NamespaceSelector = &metav1.LabelSelector{}
	live := map[string]string{"stage": "live"}
	tests := map[string]struct {
		environments []v1alpha1.Environment
		labels       map[string]string
		want         string
	}{
		"no environment":                            {},
		"none that names the namespace":             {environments: []v1alpha1.Environment{environment("a", 0, "elsewhere")}},
		"the only one":                              {environments: []v1alpha1.Environment{environment("a", 0, "x", "shop")}, want: "a"},
		"of two the older, whatever their order":    {environments: []v1alpha1.Environment{environment("a", 0, "shop"), environment("b", time.Hour, "shop")}, want: "b"},
		"one that selects it":                       {environments: []v1alpha1.Environment{selecting("a", 0)}, labels: live, want: "a"},
		"one that selects others":                   {environments: []v1alpha1.Environment{selecting("a", 0)}, labels: map[string]string{"stage": "test"}},
		"an empty selector selects nothing":         {environments: []v1alpha1.Environment{empty}, labels: live},
		"a name goes before an older selector":      {environments: []v1alpha1.Environment{selecting("a", time.Hour), environment("b", 0, "shop")}, labels: live, want: "b"},
		"the older of two selectors":                {environments: []v1alpha1.Environment{selecting("a", 0), selecting("b", time.Hour)}, labels: live, want: "b"},
		"of two equally old ones the first by name": {environments: []v1alpha1.Environment{environment("b", 0, "shop"), environment("a", 0, "shop")}, want: "a"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := ""
			if owner := v1alpha1.Owner(tt.environments, "shop", tt.labels); owner != nil {
				got = owner.Name
			}
			if got != tt.want {
				t.Errorf("Owner = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCovering(t *testing.T) {
	born := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	all := []v1alpha1.Environment{
		{ObjectMeta: metav1.ObjectMeta{Name: "young", CreationTimestamp: metav1.NewTime(born)}},
		{ObjectMeta: metav1.ObjectMeta{Name: "old", CreationTimestamp: metav1.NewTime(born.Add(-time.Hour))}},
		{ObjectMeta: metav1.ObjectMeta{Name: "naming", CreationTimestamp: metav1.NewTime(born)}, Spec: v1alpha1.EnvironmentSpec{Namespaces: []string{"pay"}}},
	}
	for i := range all[:2] {
		all[i].Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"stage": "live"}}
	}
	for namespace, want := range map[string]string{"shop": "old young", "pay": "naming", "kube-system": ""} {
		var names []string
		for _, e := range v1alpha1.Covering(all, namespace, map[string]string{"stage": "live"}) {
			names = append(names, e.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("Covering(%s) = %q, want %q", namespace, got, want)
		}
	}
}
