package engine_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

func TestAnotherHandIsNeverOverwritten(t *testing.T) {
	for _, step := range []string{"create-canary", "set-weight-20", "watch-3s", "grow", "adopt"} {
		t.Run("an edit at "+step+" stops the release", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, scenarios()["a canary finishes by adoption"])
				w.at(step, func() { rewrite(w.m, "web:hotfix") })
				result, _, err := w.run(0, false)
				if err != nil {
					t.Fatal(err)
				}
				d := w.m.deployments["web"]
				if result.Outcome != engine.OutcomeStopped || !d.Spec.Paused || d.Spec.Template.Spec.Containers[0].Image != "web:hotfix" {
					t.Errorf("outcome %s, paused %t, image %s", result.Outcome, d.Spec.Paused, d.Spec.Template.Spec.Containers[0].Image)
				}
				if len(result.Next) != 2 || !strings.Contains(result.Next[0], "--restore") || !strings.Contains(result.Next[1], "kubectl rollout resume") {
					t.Errorf("ways out: %q", result.Next)
				}
				if message := condition(t, result.Release, v1alpha1.ConditionProgressing).Message; message != result.Message+"\n"+strings.Join(result.Next, "\n") {
					t.Errorf("the ways out are not in the journal: %q", message)
				}
				e, p := w.driver(t.Context(), 0, false)
				result, err = e.Abort(p.ctx, w.rel, engine.AbortOptions{Reason: "restore", RestoreTemplate: true})
				if result.Message != "restore" || result.Kept {
					t.Errorf("restored: message %q, kept %t", result.Message, result.Kept)
				}
				if err != nil || result.Outcome != engine.OutcomeRolledBack {
					t.Fatalf("restoring: outcome %s (%s), %v", result.Outcome, result.Message, err)
				}
				if d := w.m.deployments["web"]; d.Spec.Paused || d.Spec.Template.Spec.Containers[0].Image != "web:v1" || len(w.m.deployments) != 1 {
					t.Errorf("restored: paused %t, image %s", d.Spec.Paused, d.Spec.Template.Spec.Containers[0].Image)
				}
			})
		})
	}
}

func condition(t *testing.T, r *v1alpha1.Release, kind string) metav1.Condition {
	t.Helper()
	c := meta.FindStatusCondition(r.Status.Conditions, kind)
	if c == nil {
		t.Fatalf("release %q has no condition %s", r.Name, kind)
	}
	return *c
}

func TestAnEditThatIsKeptIsNoRollback(t *testing.T) {
	for _, name := range []string{"a canary finishes by adoption", "a rollback rolls"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, scenarios()[name])
				step := map[v1alpha1.Strategy]string{v1alpha1.StrategyCanary: "watch-3s", v1alpha1.StrategyRolling: "rollout"}[w.s.strategy]
				w.at(step, func() { rewrite(w.m, "web:hotfix") })
				result, _, err := w.run(0, false)
				if err != nil || result.Outcome != engine.OutcomeStopped {
					t.Fatalf("outcome %s, %v", result.Outcome, err)
				}
				d := w.m.deployments["web"]
				d.Spec.Paused = false
				d.Generation++
				w.m.stamp(d)
				e, p := w.driver(t.Context(), 0, false)
				result, err = e.Abort(p.ctx, w.rel, engine.AbortOptions{Reason: "keep it"})
				if err != nil || result.Outcome != engine.OutcomeRolledBack || !result.Kept || result.Message != "keep it" {
					t.Errorf("outcome %s (%s), kept %t, %v", result.Outcome, result.Message, result.Kept, err)
				}
				if c := condition(t, result.Release, v1alpha1.ConditionRolledBack); c.Reason != release.ReasonGivenUp {
					t.Errorf("reason %s", c.Reason)
				}
				if image := w.m.deployments["web"].Spec.Template.Spec.Containers[0].Image; image != "web:hotfix" {
					t.Errorf("image %s", image)
				}
			})
		})
	}
}

// rewrite is an edit by another hand.
func rewrite(m *model, image string) {
	d := m.deployments["web"]
	d.Spec.Template.Spec.Containers[0].Image = image
	tmpl, err := release.TemplateOf(&d.Spec.Template)
	if err != nil {
		panic(err)
	}
	d.Template = tmpl
	d.Generation++
	m.stamp(d)
}

func TestAForeignObjectIsNeverTouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, scenarios()["a canary finishes by adoption"])
		foreign := &engine.Deployment{Deployment: *workload("web:other")}
		foreign.Name, foreign.Spec.Paused = w.rel.Name, true
		foreign.Spec.Selector.MatchLabels = map[string]string{"app": "other"}
		w.at("create-canary", func() {
			w.m.stamp(foreign)
			w.m.deployments[foreign.Name] = foreign
		})
		result, _, err := w.run(0, false)
		if err != nil || result.Outcome != engine.OutcomeStopped || !strings.Contains(result.Message, "does not belong to release") {
			t.Errorf("outcome %s (%s), %v", result.Outcome, result.Message, err)
		}
		if d := w.m.deployments[foreign.Name]; d.UID != foreign.UID || *d.Spec.Replicas != replicas {
			t.Error("the foreign Deployment was changed")
		}
	})
}

func TestAnAutoscaledWorkloadIsNeverResized(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, scenarios()["a canary finishes by adoption"])
		w.m.autoscaled = true
		result, p, err := w.run(0, false)
		if err != nil || result.Outcome != engine.OutcomeSucceeded {
			t.Fatalf("outcome %s (%s), %v", result.Outcome, result.Message, err)
		}
		for _, call := range p.client.log {
			if strings.HasPrefix(call, "patch deployment web ") && strings.Contains(call, "replicas") {
				t.Errorf("the size was written: %s", call)
			}
		}
	})
}

func TestADeniedWriteIsTakenBackWithTheWebhooksWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, scenarios()["a canary finishes by adoption"])
		w.m.refuse = func(verb string, d *engine.Deployment) error {
			if verb == "create" {
				err := apierrors.NewForbidden(schema.GroupResource{Resource: "deployments"}, d.Name, errors.New("x"))
				err.ErrStatus.Message = `admission webhook "production.rune" denied the request: release "web-1" has 0 of 1 approvals`
				return err
			}
			return nil
		}
		result, _, err := w.run(0, false)
		if err != nil || result.Outcome != engine.OutcomeRolledBack || result.Denied == nil || result.Denied.Message != `release "web-1" has 0 of 1 approvals` {
			t.Errorf("outcome %s, denied %+v, %v", result.Outcome, result.Denied, err)
		}
	})
}

func TestAbortAsksALivingDriver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, scenarios()["a canary finishes by adoption"])
		first := make(chan engine.Outcome, 1)
		go func() {
			result, _, err := w.run(0, false)
			if err != nil {
				t.Error(err)
			}
			first <- result.Outcome
		}()
		time.Sleep(2 * time.Second) //nolint:forbidigo // the bubble's clock, not the machine's
		e, p := w.driver(t.Context(), 0, false)
		result, err := e.Abort(p.ctx, w.rel, engine.AbortOptions{Reason: "enough"})
		if err != nil || result.Outcome != engine.OutcomeRolledBack || result.Message != "enough" {
			t.Errorf("abort: %s (%s), %v", result.Outcome, result.Message, err)
		}
		if got := <-first; got != engine.OutcomeRolledBack {
			t.Errorf("the first driver ended with %s", got)
		}
	})
}
