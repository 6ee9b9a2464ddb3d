package v1alpha1_test

import (
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
	tests := map[string]struct {
		environments []v1alpha1.Environment
		want         string
	}{
		"no environment":                            {},
		"none that names the namespace":             {environments: []v1alpha1.Environment{environment("a", 0, "elsewhere")}},
		"the only one":                              {environments: []v1alpha1.Environment{environment("a", 0, "x", "shop")}, want: "a"},
		"of two the older, whatever their order":    {environments: []v1alpha1.Environment{environment("a", 0, "shop"), environment("b", time.Hour, "shop")}, want: "b"},
		"of two equally old ones the first by name": {environments: []v1alpha1.Environment{environment("b", 0, "shop"), environment("a", 0, "shop")}, want: "a"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := ""
			if owner := v1alpha1.Owner(tt.environments, "shop"); owner != nil {
				got = owner.Name
			}
			if got != tt.want {
				t.Errorf("Owner = %q, want %q", got, tt.want)
			}
		})
	}
}
