package engine_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
)

func isA[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

// TestRequestRefusesBeforeAnythingChanges: one clear error each, and the cluster is as it was.
func TestRequestRefusesBeforeAnythingChanges(t *testing.T) {
	denied := apierrors.NewForbidden(schema.GroupResource{Resource: "deployments"}, "web", errors.New("x"))
	denied.ErrStatus.Message = `admission webhook "production.rune.runeframeos.com" denied the request: environment "production" refuses Deployment "web": 2 violations` + "\n  a\n  b"
	tests := map[string]struct {
		prepare func(m *model)
		change  func(r *engine.Request)
		kind    func(error) bool
		text    string
	}{
		"rune is not installed": {prepare: func(m *model) { m.uninstalled = true }, kind: isA[*engine.NotInstalledError], text: "run kubectl rune install"},
		"a right is missing": {prepare: func(m *model) { m.missing = []engine.Right{{Verb: "get", Resource: "services", Subresource: "proxy"}} },
			kind: isA[*engine.RightsError], text: `missing rights: cannot get services/proxy in namespace "shop"`},
		"the Deployment does not exist": {change: func(r *engine.Request) { r.Workload = "nope" }, kind: isA[*engine.WorkloadError], text: `Deployment "nope" does not exist in namespace "shop"`},
		"it is paused":                  {prepare: func(m *model) { m.deployments["web"].Spec.Paused = true }, kind: isA[*engine.WorkloadError], text: "kubectl rollout resume deployment/web -n shop"},
		"it is in the middle of a rollout": {prepare: func(m *model) {
			d := m.deployments["web"]
			d.Spec.Template.Spec.Containers[0].Image = "web:other"
			d.Generation++
			m.stamp(d)
		}, kind: isA[*engine.WorkloadError], text: "in the middle of a rollout"},
		"its old and new pods must not run side by side": {prepare: func(m *model) { m.deployments["web"].Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType },
			kind: isA[*engine.WorkloadError], text: "has spec.strategy.type Recreate"},
		"it has no pods": {prepare: func(m *model) { *m.deployments["web"].Spec.Replicas = 0 }, kind: isA[*engine.WorkloadError], text: "has 0 replicas"},
		"it runs this template already": {change: func(r *engine.Request) { r.Edit = func(*corev1.PodTemplateSpec) error { return nil } },
			kind: isA[*engine.SameTemplateError], text: "already runs this template"},
		"a release is in flight": {prepare: func(m *model) {
			r := &engine.Release{}
			r.Namespace, r.Name = namespace, "web-4"
			r.Spec.Workload.Name, r.Status.Phase = "web", v1alpha1.PhaseProgressing
			m.releases["web-4"] = r
		}, kind: isA[*engine.InFlightError], text: "kubectl rune resume deployment/web -n shop or kubectl rune abort deployment/web -n shop"},
		"admission denies": {prepare: func(m *model) { m.refuse = func(string, *engine.Deployment) error { return denied } },
			kind: isA[*engine.PolicyError], text: "2 violations\n  a\n  b"},
		"a smoke test names a port that is not there": {change: func(r *engine.Request) { r.Delivery.SmokeTests[0].Port = "grpc" },
			kind: func(error) bool { return true }, text: `no container declares a port named "grpc"`},
	}
	s := scenarios()["a canary finishes by adoption"]
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &world{t: t, m: newModel(t), s: s}
				seed(t, w.m, "web:v1")
				if tt.prepare != nil {
					tt.prepare(w.m)
				}
				request := s.request(t)
				if tt.change != nil {
					tt.change(&request)
				}
				known, version := len(w.m.releases), ""
				if d := w.m.deployments["web"]; d != nil {
					version = d.Template.Hash
				}
				e, _ := w.driver(t.Context(), 0, false)
				_, err := e.Request(t.Context(), request)
				if err == nil || !tt.kind(err) || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("error %T %v, want %q", err, err, tt.text)
				}
				if len(w.m.releases) != known || len(w.m.deployments) != 1 || w.m.deployments["web"].Template.Hash != version {
					t.Error("something was changed")
				}
			})
		})
	}
}

func TestADryRunStoresNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := scenarios()["a canary finishes by adoption"]
		w := &world{t: t, m: newModel(t), s: s}
		seed(t, w.m, "web:v1")
		request := s.request(t)
		request.DryRun = true
		e, _ := w.driver(t.Context(), 0, false)
		r, err := e.Request(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		if r.Spec.To.Spec.Containers[0].Image != "web:v2" || len(w.m.releases) != 0 {
			t.Errorf("image %s, %d releases stored", r.Spec.To.Spec.Containers[0].Image, len(w.m.releases))
		}
	})
}

func TestApprovals(t *testing.T) {
	environment := &v1alpha1.Environment{}
	environment.Name = "production"
	environment.Spec.Rules.Approval = &v1alpha1.ApprovalRules{MinApprovals: 2}
	consent := func(r *v1alpha1.Release, who string) v1alpha1.Approval {
		a := v1alpha1.Approval{}
		a.Spec.Release = v1alpha1.ReleaseReference{Name: r.Name, UID: r.UID}
		a.Spec.Approver.Username, a.Spec.Seal = who, "v1:x"
		return a
	}
	tests := map[string]struct {
		approvals func(r *v1alpha1.Release) []v1alpha1.Approval
		want      engine.Outcome
	}{
		"none": {approvals: func(*v1alpha1.Release) []v1alpha1.Approval { return nil }, want: engine.OutcomeAwaitingApproval},
		"twice by one person is once": {approvals: func(r *v1alpha1.Release) []v1alpha1.Approval {
			return []v1alpha1.Approval{consent(r, "a"), consent(r, "a")}
		}, want: engine.OutcomeAwaitingApproval},
		"by two people": {approvals: func(r *v1alpha1.Release) []v1alpha1.Approval {
			return []v1alpha1.Approval{consent(r, "a"), consent(r, "b")}
		}, want: engine.OutcomeSucceeded},
		"of an earlier release of the name": {approvals: func(r *v1alpha1.Release) []v1alpha1.Approval {
			old := consent(r, "b")
			old.Spec.Release.UID = "earlier"
			return []v1alpha1.Approval{consent(r, "a"), old}
		}, want: engine.OutcomeAwaitingApproval},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, scenarios()["a canary finishes by adoption"])
				w.m.environment = environment
				w.m.releases[w.rel.Name].Spec.Environment = "production"
				w.m.approvals = tt.approvals(w.rel)
				result, _, err := w.run(0, false)
				if err != nil || result.Outcome != tt.want {
					t.Fatalf("outcome %s, %v, want %s", result.Outcome, err, tt.want)
				}
				if tt.want == engine.OutcomeAwaitingApproval && (w.m.deployments["web"].Spec.Paused || len(w.m.deployments) != 1) {
					t.Error("something was changed before the approval")
				}
			})
		})
	}
}

// at runs something the first time that a step begins.
func (w *world) at(step string, do func()) {
	done := false
	w.hook = func(ev engine.Event) {
		if !done && ev.Step == step && ev.State == v1alpha1.StepRunning {
			done = true
			w.m.mu.Lock()
			defer w.m.mu.Unlock()
			do()
		}
	}
}
