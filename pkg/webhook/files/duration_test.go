package files

import (
	"strings"
	"testing"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// withDurations is an Environment with the same duration in every place that holds one.
const withDurations = `
apiVersion: rune.runeframeos.com/v1alpha1
kind: Environment
metadata: {name: production}
spec:
  namespaces: [shop-prod]
  rules:
    approval: {validFor: "D"}
  delivery:
    deadline: "D"
    canary: {steps: [{pause: "D"}]}
    smokeTests: [{name: up, path: /, timeout: "D"}]
`

// placesOfDurations are the fields of withDurations.
func placesOfDurations() []string {
	return []string{
		"spec.rules.approval.validFor", "spec.delivery.deadline",
		"spec.delivery.canary.steps[0].pause", "spec.delivery.smokeTests[0].timeout",
	}
}

func TestDurationsThatNobodyCouldReadAreRefusedBySchema(t *testing.T) {
	loader, err := NewLoader()
	if err != nil {
		t.Fatal(err)
	}
	schema := loader.schemas[v1alpha1.KindEnvironment]
	for _, bad := range []string{
		"banana", "", "5", "0", "h", "5 m", "5m ", "-5m", "1m1h", "5M", "1d", "999999999h", "99999999999999999999s", ".5h", "1.h",
	} {
		problems := schema.complete(t.Context(), environmentWith(bad))
		for _, place := range placesOfDurations() {
			if message := problems.ToAggregate(); message == nil || !strings.Contains(message.Error(), place) {
				t.Errorf("%q in %s is accepted: %v", bad, place, message)
			}
		}
	}
}

func environmentWith(duration string) map[string]any {
	return map[string]any{
		"apiVersion": v1alpha1.GroupVersion().String(), "kind": v1alpha1.KindEnvironment,
		"metadata": map[string]any{"name": "production"},
		"spec": map[string]any{
			"namespaces": []any{"shop-prod"},
			"rules":      map[string]any{"approval": map[string]any{"validFor": duration}},
			"delivery": map[string]any{
				"deadline":   duration,
				"canary":     map[string]any{"steps": []any{map[string]any{"pause": duration}}},
				"smokeTests": []any{map[string]any{"name": "up", "path": "/", "timeout": duration}},
			},
		},
	}
}

// What Go itself prints for a duration must be accepted too: typed clients write that.
func TestDurationsThatPeopleAndProgramsWriteAreAccepted(t *testing.T) {
	for _, good := range []string{
		"5m", "1h30m", "300s", "500ms", "24h", "1.5h", "1ms", "30m0s", "1h0m0s", "99999h999999m99999999s",
		(90 * time.Minute).String(), (1500 * time.Millisecond).String(), (24 * time.Hour).String(),
	} {
		set, err := newLoader(t).Load(t.Context(), directory(map[string]string{
			"env.yaml": strings.ReplaceAll(withDurations, `"D"`, `"`+good+`"`),
		}))
		if err != nil {
			t.Errorf("%q: %v", good, err)
			continue
		}
		want, err := time.ParseDuration(good)
		if err != nil {
			t.Fatal(err)
		}
		if got := set.Environments[0].Spec.Delivery.Deadline.Duration; got != want {
			t.Errorf("%q is read as %s", good, got)
		}
	}
}
