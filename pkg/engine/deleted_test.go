package engine_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/runeframeos/kubectl-rune/pkg/engine"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// TestADeletedReleaseLeavesTheWorkloadAsItWas: the driver gives it back from memory.
func TestADeletedReleaseLeavesTheWorkloadAsItWas(t *testing.T) {
	for _, step := range []string{"create-canary", "set-weight-20", "watch-3s", "set-weight-75", "grow"} {
		t.Run("deleted at "+step, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, scenarios()["a canary finishes by adoption"])
				w.at(step, func() { delete(w.m.releases, w.rel.Name) })
				_, _, err := w.run(0, false)
				if !isA[*engine.DeletedError](err) || !strings.Contains(err.Error(), `Deployment "web" is resumed with its former template`) {
					t.Errorf("error %T %v", err, err)
				}
				w.m.settle()
				d := w.m.deployments["web"]
				if d.Spec.Paused || *d.Spec.Replicas != replicas || len(w.m.deployments) != 1 || len(w.m.services) != 0 || len(w.m.leases) != 0 {
					t.Errorf("paused %t, %d replicas, %d Deployments, %d Services, %d Leases",
						d.Spec.Paused, *d.Spec.Replicas, len(w.m.deployments), len(w.m.services), len(w.m.leases))
				}
				if len(d.ManagedFields) != 1 || d.ManagedFields[0].Manager != "kubectl" {
					t.Errorf("owners of fields: %v", d.ManagedFields)
				}
				if w.m.fewest < replicas {
					t.Errorf("only %d pods were ready at a moment", w.m.fewest)
				}
			})
		})
	}
	t.Run("deleted after the adoption: the new template stays", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, scenarios()["a canary finishes by adoption"])
			w.at("verify", func() { delete(w.m.releases, w.rel.Name) })
			_, _, err := w.run(0, false)
			if !isA[*engine.DeletedError](err) || !strings.Contains(err.Error(), "the new template") {
				t.Errorf("error %T %v", err, err)
			}
			if d := w.m.deployments["web"]; d.Spec.Paused || d.Spec.Template.Spec.Containers[0].Image != "web:v2" || len(w.m.services)+len(w.m.leases) != 0 {
				t.Errorf("paused %t, %d Services, %d Leases", d.Spec.Paused, len(w.m.services), len(w.m.leases))
			}
		})
	})
	t.Run("deleted while another hand's edit is in place: it stays paused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, scenarios()["a canary finishes by adoption"])
			w.at("watch-3s", func() {
				delete(w.m.releases, w.rel.Name)
				d := w.m.deployments["web"]
				d.Spec.Template.Spec.Containers[0].Image = "web:hotfix"
				tmpl, err := release.TemplateOf(&d.Spec.Template)
				if err != nil {
					panic(err)
				}
				d.Template = tmpl
				w.m.stamp(d)
			})
			_, _, err := w.run(0, false)
			if !isA[*engine.DeletedError](err) || !strings.Contains(err.Error(), "kubectl rollout resume deployment/web -n shop") || !w.m.deployments["web"].Spec.Paused {
				t.Errorf("error %T %v", err, err)
			}
		})
	})
}

// TestADeletedDeploymentLeavesNoLease, and an abort gives the rest up.
func TestADeletedDeploymentLeavesNoLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, scenarios()["a canary finishes by adoption"])
		w.at("watch-3s", func() { delete(w.m.deployments, "web") })
		result, _, err := w.run(0, false)
		if err != nil || result.Outcome != engine.OutcomeStopped || len(w.m.leases) != 0 {
			t.Fatalf("outcome %s (%s), %d Leases, %v", result.Outcome, result.Message, len(w.m.leases), err)
		}
		if len(result.Next) != 1 || !strings.HasPrefix(result.Next[0], "kubectl rune abort release/web-1 -n shop ") {
			t.Errorf("ways out: %q", result.Next)
		}
		e, p := w.driver(t.Context(), 0, false)
		result, err = e.Abort(p.ctx, w.rel, engine.AbortOptions{})
		if err != nil || result.Outcome != engine.OutcomeRolledBack {
			t.Errorf("outcome %s (%s), %v", result.Outcome, result.Message, err)
		}
		if len(w.m.deployments)+len(w.m.services)+len(w.m.leases) != 0 {
			t.Errorf("left: %d Deployments, %d Services, %d Leases", len(w.m.deployments), len(w.m.services), len(w.m.leases))
		}
	})
}

// TestACanaryLeavesServiceThoughTheWebhookIsDown: admission never sees a deletion.
func TestACanaryLeavesServiceThoughTheWebhookIsDown(t *testing.T) {
	down := apierrors.NewGenericServerResponse(http.StatusInternalServerError, "patch", schema.GroupResource{Resource: "deployments"}, "web-1", "x", 0, true)
	down.ErrStatus.Message = `Internal error occurred: failed calling webhook "production.rune": connection refused`
	denied := apierrors.NewForbidden(schema.GroupResource{Resource: "deployments"}, "web-1", errors.New("x"))
	denied.ErrStatus.Message = `admission webhook "other" denied the request: no`
	for name, refusal := range map[string]error{"it cannot be asked": down, "it denies": denied} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, scenarios()["a canary is aborted while it is watched"])
				w.m.refuse = func(verb string, d *engine.Deployment) error {
					if verb == "update" && d.Name == w.rel.Name && *d.Spec.Replicas == 0 {
						return refusal
					}
					return nil
				}
				result, p, err := w.run(0, false)
				if err != nil || result.Outcome != engine.OutcomeRolledBack || len(w.m.deployments) != 1 {
					t.Errorf("outcome %s (%s), %d Deployments, %v", result.Outcome, result.Message, len(w.m.deployments), err)
				}
				if w.m.fewest < replicas {
					t.Errorf("only %d pods were ready at a moment", w.m.fewest)
				}
				if tries := strings.Count(strings.Join(p.client.log, "\n"), "patch deployment web-1 replicas 0"); tries != 1 {
					t.Errorf("the canary was scaled down %d times, want once and then its deletion", tries)
				}
			})
		})
	}
}
