package view

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares text with testdata/NAME.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path) //nolint:gosec // a golden file of ours
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

func text(lines []string) string { return strings.Join(lines, "\n") + "\n" }

// now is the moment at which all pictures are taken.
func now() time.Time { return time.Date(2026, 11, 2, 15, 4, 5, 0, time.UTC) }

func before(d time.Duration) metav1.Time { return metav1.NewTime(now().Add(-d)) }

func beforeMicro(d time.Duration) *metav1.MicroTime {
	return ptr.To(metav1.NewMicroTime(now().Add(-d)))
}

func template(image, memory string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "web", Image: image,
			Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(memory)}},
		}}},
	}
}

func deployment(template corev1.PodTemplateSpec, replicas int32) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop", UID: "d1", Generation: 3},
		Spec:       appsv1.DeploymentSpec{Replicas: &replicas, Template: template},
		Status: appsv1.DeploymentStatus{
			ObservedGeneration: 3, Replicas: replicas, UpdatedReplicas: replicas, ReadyReplicas: replicas, AvailableReplicas: replicas,
		},
	}
}

func set(name, owner, revision string, template corev1.PodTemplateSpec, ready, wanted int32) appsv1.ReplicaSet {
	template = *template.DeepCopy()
	template.Labels["pod-template-hash"] = name
	return appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "shop", Annotations: map[string]string{"deployment.kubernetes.io/revision": revision},
			OwnerReferences: []metav1.OwnerReference{{Kind: "Deployment", UID: types.UID(owner), Controller: ptr.To(true)}},
		},
		Spec:   appsv1.ReplicaSetSpec{Replicas: &wanted, Template: template},
		Status: appsv1.ReplicaSetStatus{Replicas: wanted, ReadyReplicas: ready},
	}
}

// canary is release web-7 at its first weight: one canary pod beside four stable ones.
func canary() *Snapshot {
	old, wanted := template("registry.local:5000/web:v1", "128Mi"), template("registry.local:5000/web:v2", "256Mi")
	return &Snapshot{
		Namespace: "shop", Workload: "web", Now: now(),
		Deployment: deployment(old, 4),
		ReplicaSets: []appsv1.ReplicaSet{
			set("web-7-5fd8", "canary", "1", wanted, 1, 1), set("web-6b7d9", "d1", "3", old, 4, 4), set("web-1111", "d1", "2", wanted, 0, 0),
		},
		Release: &v1alpha1.Release{
			ObjectMeta: metav1.ObjectMeta{Name: "web-7", Namespace: "shop", UID: "r7", CreationTimestamp: before(2 * time.Minute)},
			Spec: v1alpha1.ReleaseSpec{
				Action: v1alpha1.ActionCanary, Strategy: v1alpha1.StrategyCanary, Environment: "production",
				Workload: v1alpha1.WorkloadReference{Kind: "Deployment", Name: "web", UID: "d1"},
				From:     &old, To: wanted, Reason: "faster checkout",
				RequestedBy: v1alpha1.Identity{Username: "alice"},
				Delivery: v1alpha1.Delivery{
					Canary: &v1alpha1.CanaryPlan{Steps: []v1alpha1.CanaryStep{
						{SetWeight: ptr.To(int32(10))}, {Pause: &metav1.Duration{Duration: 5 * time.Minute}},
					}},
					SmokeTests: []v1alpha1.SmokeTest{{Name: "health", Path: "/health"}},
					Deadline:   &metav1.Duration{Duration: 30 * time.Minute},
				},
			},
			Status: v1alpha1.ReleaseStatus{
				Phase: v1alpha1.PhaseProgressing, Message: "1 of 1 canary pods ready", Driver: "alice@laptop-1",
				StartedAt: beforeMicro(90 * time.Second), Weight: &v1alpha1.Weight{Wanted: 10, Actual: 20},
				Steps: []v1alpha1.StepStatus{
					{Name: "pause", State: v1alpha1.StepDone, StartedAt: beforeMicro(90 * time.Second), FinishedAt: beforeMicro(89 * time.Second), Message: "rollouts paused"},
					{Name: "set-weight-10", State: v1alpha1.StepDone, StartedAt: beforeMicro(89 * time.Second), FinishedAt: beforeMicro(80 * time.Second)},
					{Name: "watch-5m0s", State: v1alpha1.StepRunning, StartedAt: beforeMicro(80 * time.Second)},
					{Name: "grow", State: v1alpha1.StepPending},
				},
				Conditions: []metav1.Condition{{Type: v1alpha1.ConditionApproved, Status: metav1.ConditionTrue, Message: "by bob"}},
			},
		},
		Lease: &coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{
			HolderIdentity: ptr.To("alice@laptop-1"), LeaseDurationSeconds: ptr.To(int32(10)), RenewTime: beforeMicro(time.Second),
		}},
	}
}

func with(s *Snapshot, change func(*Snapshot)) *Snapshot {
	change(s)
	return s
}

func TestStatusLines(t *testing.T) {
	tests := map[string]*Snapshot{
		"progressing": canary(),
		"nobody-drives": with(canary(), func(s *Snapshot) {
			s.Lease.Spec.RenewTime = beforeMicro(3 * time.Minute)
		}),
		"nobody-ever-drove": with(canary(), func(s *Snapshot) {
			s.Lease, s.Release.Status = nil, v1alpha1.ReleaseStatus{}
		}),
		"awaiting-approval": with(canary(), func(s *Snapshot) {
			s.Lease, s.Release.Status = nil, v1alpha1.ReleaseStatus{Phase: v1alpha1.PhaseAwaitingApproval, Message: "2 approvals needed, 1 there"}
			s.Approvals = []v1alpha1.Approval{{Spec: v1alpha1.ApprovalSpec{
				Approver: v1alpha1.Identity{Username: "bob"}, ApprovedAt: ptr.To(before(30 * time.Second)), Comment: "fine\x1b[2Jby me",
			}}}
		}),
		"stopped": with(canary(), func(s *Snapshot) {
			s.Release.Status.Phase, s.Release.Status.Message = v1alpha1.PhaseStopped, "somebody else changed the template"
			s.Lease = nil
		}),
		"stopped-with-ways-out": with(canary(), func(s *Snapshot) {
			s.Release.Status.Phase, s.Release.Status.Message = v1alpha1.PhaseStopped, "somebody else changed the template; it stays paused"
			s.Release.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionProgressing, Status: metav1.ConditionFalse, Reason: "Stopped",
				Message: "somebody else changed the template; it stays paused\n" +
					"kubectl rune abort deployment/web -n shop --restore   (discard the edit: the recorded template comes back)\n" +
					"kubectl rollout resume deployment/web -n shop && kubectl rune abort deployment/web -n shop   (keep the edit: the Deployment rolls it out itself)"}}
			s.Lease = nil
		}),
		"given-up": with(canary(), func(s *Snapshot) {
			s.Release.Status.Phase, s.Release.Status.Message = v1alpha1.PhaseRolledBack, "aborted by hand"
			s.Release.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionRolledBack, Status: metav1.ConditionTrue, Reason: "GivenUp"}}
			s.Release.Status.FinishedAt = beforeMicro(30 * time.Second)
			s.ReplicaSets = s.ReplicaSets[1:]
		}),
		"rolled-back": with(canary(), func(s *Snapshot) {
			s.Release.Status.Phase, s.Release.Status.Message = v1alpha1.PhaseRolledBack, `smoke test "health" failed`
			s.Release.Status.FinishedAt = beforeMicro(30 * time.Second)
			for i := range s.Release.Status.Steps {
				s.Release.Status.Steps[i].State = v1alpha1.StepReverted
			}
			s.ReplicaSets = s.ReplicaSets[1:]
		}),
		"no-release": with(canary(), func(s *Snapshot) { s.Release = nil }),
		"rollout-stuck": with(canary(), func(s *Snapshot) {
			s.Release, s.Deployment.Status.AvailableReplicas = nil, 3
		}),
		"not-created-yet": with(canary(), func(s *Snapshot) {
			s.Deployment, s.ReplicaSets, s.Lease = nil, nil, nil
			s.Release.Spec.From, s.Release.Spec.Strategy, s.Release.Spec.Action = nil, v1alpha1.StrategyCreate, v1alpha1.ActionPromote
			s.Release.Status = v1alpha1.ReleaseStatus{Phase: v1alpha1.PhaseAwaitingApproval}
		}),
	}
	for name, snapshot := range tests {
		t.Run(name, func(t *testing.T) {
			golden(t, "status-"+name+".txt", text(NewStatus(snapshot).Lines()))
		})
	}
}

func TestStatusJSON(t *testing.T) {
	raw, err := json.MarshalIndent(NewStatus(canary()), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "status.json", string(raw)+"\n")
}

func TestRequestShowsEveryChange(t *testing.T) {
	golden(t, "request.txt", text(Request(canary().Release)))
	created := canary().Release
	created.Spec.From, created.Spec.Strategy = nil, v1alpha1.StrategyCreate
	golden(t, "request-create.txt", text(Request(created)))
}

// TestAnApproverSeesFieldsThatNoTypeKnows: the approval covers them.
func TestAnApproverSeesFieldsThatNoTypeKnows(t *testing.T) {
	stored := `{"spec":{"from":{"spec":{"containers":[{"name":"web","image":"web:v1"}]}},
		"to":{"spec":{"containers":[{"name":"web","image":"web:v1","fromTheFuture":{"port":9007199254740993}}]}}}}`
	lines, err := RawRequest(canary().Release, []byte(stored))
	if err != nil {
		t.Fatal(err)
	}
	if want := "    spec.containers[web].fromTheFuture.port: 9007199254740993 (new)"; lines[len(lines)-1] != want {
		t.Errorf("the last line is %q, want %q", lines[len(lines)-1], want)
	}
}

func TestHistory(t *testing.T) {
	s := canary()
	first := s.Release.DeepCopy()
	first.Name, first.Spec.To, first.Spec.Reason = "web-6", template("registry.local:5000/web@sha256:"+strings.Repeat("ab", 32), "128Mi"), ""
	first.Status.Phase, first.CreationTimestamp = v1alpha1.PhaseSucceeded, before(50*time.Hour)
	entries := History(s.Deployment, s.ReplicaSets, []v1alpha1.Release{*s.Release, *first}, now())
	golden(t, "history.txt", text(HistoryLines(entries)))
	if diff := cmp.Diff([]string{"no releases yet"}, HistoryLines(nil)); diff != "" {
		t.Errorf("an empty history differs (-want +got):\n%s", diff)
	}
}

func TestLeftAs(t *testing.T) {
	tests := map[string]struct {
		change func(*v1alpha1.Release)
		want   string
	}{
		"in the middle of a canary": {
			change: func(*v1alpha1.Release) {}, want: "at step watch-5m0s (Running): 20 % of the traffic goes to the new pods",
		},
		"before its first step": {
			change: func(r *v1alpha1.Release) { r.Status = v1alpha1.ReleaseStatus{Phase: v1alpha1.PhasePending} },
			want:   "as requested; nothing has been changed",
		},
		"before its approval": {
			change: func(r *v1alpha1.Release) { r.Status = v1alpha1.ReleaseStatus{Phase: v1alpha1.PhaseAwaitingApproval} },
			want:   "waiting for approval; nothing has been changed",
		},
		"in the middle of an abort": {
			change: func(r *v1alpha1.Release) { r.Status.Phase = v1alpha1.PhaseAborting }, want: "half taken back, at step watch-5m0s",
		},
		"before the canary has pods": {
			change: func(r *v1alpha1.Release) { r.Status.Weight = nil }, want: "the old pods take all traffic",
		},
		"in the middle of a rolling update": {
			change: func(r *v1alpha1.Release) { r.Spec.Strategy, r.Status.Weight = v1alpha1.StrategyRolling, nil }, want: "at step watch-5m0s (Running)",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := canary().Release
			test.change(r)
			got := text(LeftAs(r))
			for _, want := range []string{test.want, "kubectl rune resume release/web-7 -n shop", "kubectl rune abort release/web-7 -n shop"} {
				if !strings.Contains(got, want) {
					t.Errorf("LeftAs gives\n%s\nwithout %q", got, want)
				}
			}
		})
	}
}

func TestDuration(t *testing.T) {
	tests := map[string]struct {
		d    time.Duration
		want string
	}{
		"nothing":                      {0, "0s"},
		"less than nothing is nothing": {-time.Hour, "0s"},
		"less than a second":           {200 * time.Millisecond, "200ms"},
		"seconds":                      {45 * time.Second, "45s"},
		"full minutes":                 {5 * time.Minute, "5m"},
		"two units at most":            {26*time.Hour + 3*time.Minute, "1d2h"},
		"a unit without a count":       {time.Hour + 5*time.Second, "1h"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Duration(test.d); got != test.want {
				t.Errorf("Duration(%v) = %q, want %q", test.d, got, test.want)
			}
		})
	}
}

func TestChangesFindWhatTypesHide(t *testing.T) {
	from, to := template("web:v1", "1Gi"), template("web:v1", "1Gi")
	to.Spec.Containers[0].Args = []string{"--debug"}
	to.Spec.HostNetwork = true
	to.Spec.Containers = append(to.Spec.Containers, corev1.Container{Name: "sidecar", Image: "x\n:v1"})
	want := []Change{
		{Path: "spec.containers[sidecar].image", To: `x\n:v1`},
		{Path: "spec.containers[sidecar].name", To: "sidecar"},
		{Path: "spec.containers[sidecar].resources", To: "{}"},
		{Path: "spec.containers[web].args[0]", To: "--debug"},
		{Path: "spec.hostNetwork", To: "true"},
	}
	if diff := cmp.Diff(want, Changes(&from, &to)); diff != "" {
		t.Errorf("Changes differ (-want +got):\n%s", diff)
	}
	if back := Changes(&to, &from); len(back) != len(want) || back[0].To != "" {
		t.Errorf("Changes back are %v, want the same paths without values", back)
	}
}
