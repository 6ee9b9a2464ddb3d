package admission_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

const (
	budget     = `{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"web","namespace":"prod"},"spec":{"maxUnavailable":1,"selector":{"matchLabels":{"app":"web"}}}}`
	autoscaler = `{"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","metadata":{"name":"web","namespace":"prod"},` +
		`"spec":{"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"web"},"minReplicas":3,"maxReplicas":9}}`
)

func TestAvailabilityLooksAtWhatSurroundsAWorkload(t *testing.T) {
	single := func(raw []byte) []byte {
		return []byte(strings.Replace(string(raw), `"replicas":3`, `"replicas":1`, 1))
	}
	web := deployment("web", "d1", template("r.local/web:v1"))
	tests := map[string]struct {
		object []byte
		stored []string
		change func(w *world)
		// refusals are all rules that refuse; none where the object is admitted.
		refusals []string
	}{
		"enough pods and a budget":                  {object: web, stored: []string{budget}},
		"no budget":                                 {object: web, refusals: []string{"[podDisruptionBudget]"}},
		"too few pods":                              {object: single(web), stored: []string{budget}, refusals: []string{"[replicas]"}},
		"an autoscaler owns the size":               {object: single(web), stored: []string{budget, autoscaler}},
		"a budget of another namespace":             {object: web, stored: []string{strings.Replace(budget, "prod", "other", 1)}, refusals: []string{"[podDisruptionBudget]"}},
		"a StatefulSet":                             {object: single(object("apps/v1", "StatefulSet", "web", "", template("r.local/web:v1"))), stored: []string{budget}, refusals: []string{"[replicas]"}},
		"a DaemonSet":                               {object: object("apps/v1", "DaemonSet", "web", "", template("r.local/web:v1"))},
		"the canary Deployment of a sealed Release": {object: single(deployment("web-7", "", next(), pointsTo("web-7")))},
		"a Deployment that claims to be a canary": {
			object: single(deployment("web-8", "", next(), pointsTo("web-8"))), refusals: []string{"[podDisruptionBudget]", "[replicas]"}},
		"a Deployment that points to another's Release": {
			object: single(deployment("web-8", "", next(), pointsTo("web-7"))), refusals: []string{"[podDisruptionBudget]", "[replicas]"}},
		"a canary with another template": {
			object: single(deployment("web-7", "", template("r.local/web:v9"), pointsTo("web-7"))), refusals: []string{"[podDisruptionBudget]", "[replicas]"}},
		"a canary whose Release is forged": {
			object: single(deployment("web-7", "", next(), pointsTo("web-7"))), refusals: []string{"[podDisruptionBudget]", "[replicas]"},
			change: func(w *world) { setSpec(w.t, w.objects[keyRelease], "v1:0000", "seal") }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := releaseInFlight(t, nil)
			w.environment.Spec.Rules.Availability = &v1alpha1.AvailabilityRules{MinReplicas: 2, PodDisruptionBudget: v1alpha1.NecessityRequired}
			for _, raw := range tt.stored {
				w.store([]byte(raw))
			}
			if tt.change != nil {
				tt.change(w)
			}
			response := w.validate(review{object: tt.object, user: user("ann")})
			if len(tt.refusals) == 0 {
				requireAllowed(t, response)
				return
			}
			requireRefused(t, response, tt.refusals...)
			if got := strings.Count(response.Result.Message, "\n"); got != len(tt.refusals) {
				t.Errorf("%d violations, want %q:\n%s", got, tt.refusals, response.Result.Message)
			}
		})
	}
}

func TestSurroundingsAreReadOnlyWhereTheyCount(t *testing.T) {
	w := newWorld(t)
	w.down["objects"] = errors.New("connection refused")
	web := deployment("web", "", template("r.local/web:v1"))
	requireAllowed(t, w.validate(review{object: web, user: user("ann")}))
	w.environment.Spec.Rules.Availability = &v1alpha1.AvailabilityRules{MinReplicas: 2}
	requireAllowed(t, w.validate(review{object: podOf("r.local/web:v1"), user: user("ann")}))
	requireRefused(t, w.validate(review{object: web, user: user("ann")}), "could not judge", "listing the PodDisruptionBudgets")
}
