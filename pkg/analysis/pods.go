package analysis

import (
	"fmt"
	"sort"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Finding is one piece of evidence about a pod.
type Finding struct {
	Verdict   Verdict
	Pod       string
	Container string
	// Reason is the kubelet's or the scheduler's word: "ImagePullBackOff".
	Reason string
	// Message is theirs, as they wrote it.
	Message string
}

// String is one line for people.
func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "pod %q", f.Pod)
	if f.Container != "" {
		fmt.Fprintf(&b, ", container %q", f.Container)
	}
	fmt.Fprintf(&b, ": %s", f.Reason)
	if f.Message != "" {
		fmt.Fprintf(&b, ": %s", strings.TrimSpace(f.Message))
	}
	return b.String()
}

// Pods judges the pods of the new template. Restarts that ended before since are not counted: a
// rollback finds old pods that had a life before it. Findings are sorted, failures first.
func Pods(pods []corev1.Pod, since time.Time) (Verdict, []Finding) {
	var findings []Finding
	for i := range pods {
		if pods[i].DeletionTimestamp != nil {
			continue
		}
		findings = append(findings, pod(&pods[i], since)...)
	}
	sort.SliceStable(findings, func(i, j int) bool {
		a, b := findings[i], findings[j]
		if (a.Verdict == Fail) != (b.Verdict == Fail) {
			return a.Verdict == Fail
		}
		if a.Pod != b.Pod {
			return a.Pod < b.Pod
		}
		return a.Container < b.Container
	})
	switch {
	case len(findings) == 0:
		return Pass, nil
	case findings[0].Verdict == Fail:
		return Fail, findings
	default:
		return Hold, findings
	}
}

func pod(p *corev1.Pod, since time.Time) []Finding {
	var findings []Finding
	if p.Status.Phase == corev1.PodFailed {
		findings = append(findings, Finding{Verdict: Fail, Pod: p.Name, Reason: orElse(p.Status.Reason, "Failed"), Message: p.Status.Message})
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			findings = append(findings, Finding{Verdict: Hold, Pod: p.Name, Reason: c.Reason, Message: c.Message})
		}
	}
	statuses := append(append([]corev1.ContainerStatus(nil), p.Status.InitContainerStatuses...), p.Status.ContainerStatuses...)
	for i := range statuses {
		if f := container(p.Name, &statuses[i], since); f != nil {
			findings = append(findings, *f)
		}
	}
	return findings
}

func container(pod string, s *corev1.ContainerStatus, since time.Time) *Finding {
	finding := &Finding{Verdict: Fail, Pod: pod, Container: s.Name}
	last := s.LastTerminationState.Terminated
	if w := s.State.Waiting; w != nil && critical(w.Reason) {
		finding.Reason, finding.Message = w.Reason, w.Message
		if w.Reason == "CrashLoopBackOff" && last != nil {
			finding.Message = ended(last) + "; " + w.Message
		}
		return finding
	}
	if t := s.State.Terminated; t != nil && t.ExitCode != 0 && !t.FinishedAt.Time.Before(since) {
		finding.Reason, finding.Message = orElse(t.Reason, "Error"), ended(t)
		return finding
	}
	if s.RestartCount > 0 && last != nil && !last.FinishedAt.Time.Before(since) {
		finding.Reason = orElse(last.Reason, "Restarted")
		finding.Message = fmt.Sprintf("%s, restarted %d times", ended(last), s.RestartCount)
		return finding
	}
	return nil
}

// critical tells whether a container in this waiting state cannot be expected to get out of it soon
// enough. The first failed pull counts: the node retries for minutes.
func critical(reason string) bool {
	switch reason {
	case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError",
		"CrashLoopBackOff", "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
		return true
	default:
		return false
	}
}

func ended(t *corev1.ContainerStateTerminated) string {
	text := fmt.Sprintf("ended with exit code %d", t.ExitCode)
	if t.Reason != "" {
		text += " (" + t.Reason + ")"
	}
	if m := strings.TrimSpace(t.Message); m != "" {
		text += ": " + m
	}
	return text
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
