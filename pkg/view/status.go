package view

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// Snapshot is what is known of a workload and its newest release at one moment.
type Snapshot struct {
	Namespace string
	Workload  string
	// Deployment is nil where the workload does not exist, as before its creation by a promotion.
	Deployment  *appsv1.Deployment
	ReplicaSets []appsv1.ReplicaSet
	// Release is nil where the workload never had one.
	Release   *v1alpha1.Release
	Approvals []v1alpha1.Approval
	// Lease is nil where no driver ever held it or nobody looked.
	Lease *coordinationv1.Lease
	Now   time.Time
}

// Status is the state of a workload and its newest release, in the form of `status -o json`.
type Status struct {
	// Workload as kubectl names it: "deployment.apps/web".
	Workload  string `json:"workload"`
	Namespace string `json:"namespace"`
	// Rollout says why the Deployment's own rollout is not complete; empty where it is.
	Rollout string          `json:"rollout,omitempty"`
	Images  []Image         `json:"images,omitempty"`
	Pods    []PodSet        `json:"replicaSets,omitempty"`
	Release *ReleaseSummary `json:"release,omitempty"`
	// Attention says loudly what a person has to know, before anything else.
	Attention []string `json:"attention,omitempty"`
	// Next holds the commands that make sense now.
	Next []NextCommand `json:"next,omitempty"`
}

// Image is what one container runs.
type Image struct {
	Container string `json:"container"`
	Image     string `json:"image"`
}

// Roles of ReplicaSets.
const (
	roleStable = "stable"
	roleCanary = "canary"
	roleOld    = "old"
)

// PodSet is one ReplicaSet with pods, wanted or there.
type PodSet struct {
	Name string `json:"name"`
	// Role is "stable" for the Deployment's own template, "canary" for the release's, "old" for others.
	Role     string `json:"role"`
	Revision string `json:"revision,omitempty"`
	Ready    int32  `json:"ready"`
	Wanted   int32  `json:"wanted"`
}

// ReleaseSummary is a release in few words.
type ReleaseSummary struct {
	Name        string            `json:"name"`
	Action      v1alpha1.Action   `json:"action"`
	Strategy    v1alpha1.Strategy `json:"strategy"`
	Environment string            `json:"environment,omitempty"`
	Phase       v1alpha1.Phase    `json:"phase"`
	Message     string            `json:"message,omitempty"`
	Reason      string            `json:"reason,omitempty"`
	RequestedBy string            `json:"requestedBy,omitempty"`
	RequestedAt metav1.Time       `json:"requestedAt"`
	Plan        string            `json:"plan"`
	Changes     []Change          `json:"changes,omitempty"`
	Approvals   []ApprovalSummary `json:"approvals,omitempty"`
	Weight      *v1alpha1.Weight  `json:"weight,omitempty"`
	Steps       []StepSummary     `json:"steps,omitempty"`
	FinishedAt  *metav1.MicroTime `json:"finishedAt,omitempty"`
	Driver      DriverSummary     `json:"driver"`
	approved    *metav1.Condition
	age, took   time.Duration
}

// ApprovalSummary is one person's consent.
type ApprovalSummary struct {
	Approver   string       `json:"approver"`
	ApprovedAt *metav1.Time `json:"approvedAt,omitempty"`
	Comment    string       `json:"comment,omitempty"`
	age        time.Duration
}

// StepSummary is one step of the plan.
type StepSummary struct {
	Name    string             `json:"name"`
	State   v1alpha1.StepState `json:"state"`
	Message string             `json:"message,omitempty"`
	// Seconds that the step took or takes; absent where it has not begun.
	Seconds *float64 `json:"seconds,omitempty"`
}

// NextCommand is a way on.
type NextCommand struct {
	What    string `json:"what"`
	Command string `json:"command"`
}

// NewStatus puts a snapshot into the words of `kubectl rune status`.
func NewStatus(s *Snapshot) *Status {
	status := &Status{Workload: "deployment.apps/" + s.Workload, Namespace: s.Namespace}
	if d := s.Deployment; d != nil {
		if complete, why := release.Complete(d); !complete {
			status.Rollout = why
		}
		for _, c := range d.Spec.Template.Spec.Containers {
			status.Images = append(status.Images, Image{Container: c.Name, Image: c.Image})
		}
		status.Pods = podSets(s)
	}
	if s.Release == nil {
		return status
	}
	status.Release = summarize(s)
	status.Attention, status.Next = guidance(s, status.Release)
	return status
}

func summarize(s *Snapshot) *ReleaseSummary {
	r := s.Release
	summary := &ReleaseSummary{
		Name: r.Name, Action: r.Spec.Action, Strategy: r.Spec.Strategy, Environment: r.Spec.Environment,
		Phase: phaseOf(r), Message: r.Status.Message, Reason: r.Spec.Reason,
		RequestedBy: r.Spec.RequestedBy.Username, RequestedAt: r.CreationTimestamp,
		Plan: Plan(&r.Spec), Changes: Changes(r.Spec.From, &r.Spec.To),
		Weight: r.Status.Weight, FinishedAt: r.Status.FinishedAt,
		Driver: driverOf(s), age: s.Now.Sub(r.CreationTimestamp.Time),
	}
	if r.Status.FinishedAt != nil && r.Status.StartedAt != nil {
		summary.took = r.Status.FinishedAt.Sub(r.Status.StartedAt.Time)
	}
	for i := range r.Status.Conditions {
		if r.Status.Conditions[i].Type == v1alpha1.ConditionApproved {
			summary.approved = &r.Status.Conditions[i]
		}
	}
	summary.Approvals = approvals(s)
	if n := len(summary.Approvals); n > 0 && summary.Phase == v1alpha1.PhaseAwaitingApproval {
		// What its last driver wrote does not know them.
		summary.Message = fmt.Sprintf("%d %s given since it was last driven", n, plural(n, "approval"))
	}
	summary.Steps = stepsOf(r, s.Now)
	return summary
}

func approvals(s *Snapshot) []ApprovalSummary {
	var list []ApprovalSummary
	for i := range s.Approvals {
		spec := &s.Approvals[i].Spec
		a := ApprovalSummary{Approver: spec.Approver.Username, ApprovedAt: spec.ApprovedAt, Comment: spec.Comment}
		if spec.ApprovedAt != nil {
			a.age = s.Now.Sub(spec.ApprovedAt.Time)
		}
		list = append(list, a)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Approver < list[j].Approver })
	return list
}

// stepsOf shows the journal, and before there is one the steps that the plan gives.
func stepsOf(r *v1alpha1.Release, now time.Time) []StepSummary {
	var list []StepSummary
	if len(r.Status.Steps) == 0 {
		planned, err := release.Steps(&r.Spec)
		if err != nil {
			return nil
		}
		for _, step := range planned {
			list = append(list, StepSummary{Name: step.Name, State: v1alpha1.StepPending})
		}
		return list
	}
	for _, step := range r.Status.Steps {
		summary := StepSummary{Name: step.Name, State: step.State, Message: step.Message}
		if step.StartedAt != nil {
			end := now
			if step.FinishedAt != nil {
				end = step.FinishedAt.Time
			}
			seconds := max(end.Sub(step.StartedAt.Time), 0).Round(time.Millisecond).Seconds()
			summary.Seconds = &seconds
		}
		list = append(list, summary)
	}
	return list
}

// podSets lists the ReplicaSets that have pods or should have some, stable first.
func podSets(s *Snapshot) []PodSet {
	var sets []PodSet
	for i := range s.ReplicaSets {
		set := &s.ReplicaSets[i]
		var wanted int32
		if set.Spec.Replicas != nil {
			wanted = *set.Spec.Replicas
		}
		if wanted == 0 && set.Status.Replicas == 0 {
			continue
		}
		pods := PodSet{Name: set.Name, Role: roleOf(s, set), Ready: set.Status.ReadyReplicas, Wanted: wanted}
		if pods.Role != roleCanary {
			// The canary has a history of its own until it is adopted.
			pods.Revision = set.Annotations[release.AnnotationRevision]
		}
		sets = append(sets, pods)
	}
	order := map[string]int{roleStable: 0, roleCanary: 1, roleOld: 2}
	sort.Slice(sets, func(i, j int) bool {
		if order[sets[i].Role] != order[sets[j].Role] {
			return order[sets[i].Role] < order[sets[j].Role]
		}
		return sets[i].Name < sets[j].Name
	})
	return sets
}

func roleOf(s *Snapshot, set *appsv1.ReplicaSet) string {
	owner := metav1.GetControllerOf(set)
	switch {
	case owner == nil || owner.UID != s.Deployment.UID:
		return roleCanary
	case release.SameTemplate(&set.Spec.Template, &s.Deployment.Spec.Template):
		return roleStable
	default:
		return roleOld
	}
}

func revisionOf(set PodSet) string {
	if _, err := strconv.Atoi(set.Revision); err != nil {
		return ""
	}
	return ", revision " + set.Revision
}

// commandFor writes a command of this plugin for a release.
func commandFor(verb string, r *v1alpha1.Release) string {
	return strings.Join([]string{"kubectl rune", verb, "release/" + r.Name, "-n", r.Namespace}, " ")
}

func span(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

func seconds(s float64) string { return Duration(span(s)) }

func ago(d time.Duration) string {
	if d < time.Second {
		return "just now"
	}
	return Duration(d) + " ago"
}
