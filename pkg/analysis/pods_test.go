package analysis_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/analysis"
)

func TestPods(t *testing.T) {
	begin := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	ended := func(at time.Time, code int32, reason string) *corev1.ContainerStateTerminated {
		return &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, FinishedAt: metav1.NewTime(at)}
	}
	waiting := func(reason, message string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
	tests := map[string]struct {
		status  corev1.PodStatus
		deleted bool
		want    analysis.Verdict
		text    string
	}{
		"a running pod passes": {status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "app"}}}, want: analysis.Pass},
		"a container being created is no sign": {
			status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "app", State: waiting("ContainerCreating", "")}}}, want: analysis.Pass},
		"the first failed pull fails, with the kubelet's words": {
			status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "app", State: waiting("ErrImagePull", "not found")}}},
			want:   analysis.Fail, text: `pod "p", container "app": ErrImagePull: not found`},
		"an init container that loops fails": {
			status: corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{Name: "init", State: waiting("CrashLoopBackOff", "back-off"),
				LastTerminationState: corev1.ContainerState{Terminated: ended(begin.Add(time.Second), 3, "Error")}}}},
			want: analysis.Fail, text: "ended with exit code 3 (Error); back-off"},
		"a missing Secret fails": {
			status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "app", State: waiting("CreateContainerConfigError", `secret "x" not found`)}}},
			want:   analysis.Fail, text: `secret "x" not found`},
		"a restart after running out of memory fails": {
			status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "app", RestartCount: 1,
				LastTerminationState: corev1.ContainerState{Terminated: ended(begin.Add(time.Second), 137, "OOMKilled")}}}},
			want: analysis.Fail, text: "OOMKilled: ended with exit code 137 (OOMKilled), restarted 1 times"},
		"a restart before the release is not its fault": {
			status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "app", RestartCount: 4,
				LastTerminationState: corev1.ContainerState{Terminated: ended(begin.Add(-time.Hour), 1, "Error")}}}},
			want: analysis.Pass},
		"an unschedulable pod holds": {
			status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
				Reason: corev1.PodReasonUnschedulable, Message: "0/1 nodes are available"}}},
			want: analysis.Hold, text: "0/1 nodes are available"},
		"an evicted pod fails": {status: corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted"}, want: analysis.Fail, text: `pod "p": Evicted`},
		"a pod on its way out is not judged": {
			status:  corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "app", State: waiting("CrashLoopBackOff", "")}}},
			deleted: true, want: analysis.Pass},
		"an init container that ended well passes": {
			status: corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{Name: "init", State: corev1.ContainerState{Terminated: ended(begin.Add(time.Second), 0, "Completed")}}}},
			want:   analysis.Pass},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Status: tt.status}
			if tt.deleted {
				now := metav1.NewTime(begin)
				pod.DeletionTimestamp = &now
			}
			verdict, findings := analysis.Pods([]corev1.Pod{pod}, begin)
			if verdict != tt.want {
				t.Errorf("verdict %s, want %s", verdict, tt.want)
			}
			text := ""
			for _, f := range findings {
				text += f.String()
			}
			if !strings.Contains(text, tt.text) {
				t.Errorf("findings %q do not say %q", text, tt.text)
			}
		})
	}
}

func TestSmokeResult(t *testing.T) {
	tests := map[string]struct {
		result  analysis.SmokeResult
		verdict analysis.Verdict
		text    string
	}{
		"all passed": {analysis.SmokeResult{Name: "Basic connectivity", Passed: 10, Total: 10}, analysis.Pass, "Basic connectivity: 10 of 10 passed"},
		"some failed": {analysis.SmokeResult{Name: "Basic connectivity", Passed: 6, Total: 10, Failure: "GET /health answered 500, want 200"},
			analysis.Fail, "Basic connectivity: failed 4 of 10: GET /health answered 500, want 200"},
		"none was sent": {analysis.SmokeResult{Name: "x"}, analysis.Hold, "x: 0 of 0 passed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.result.Verdict(); got != tt.verdict {
				t.Errorf("verdict %s, want %s", got, tt.verdict)
			}
			if got := tt.result.String(); got != tt.text {
				t.Errorf("%q, want %q", got, tt.text)
			}
		})
	}
}
