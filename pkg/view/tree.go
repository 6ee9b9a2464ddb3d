package view

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// node is one line of a tree and the lines below it.
type node struct {
	text     string
	children []node
}

func (n *node) add(text string) {
	n.children = append(n.children, node{text: text})
}

// Lines prints a status as a tree for people.
func (s *Status) Lines() []string {
	var lines []string
	for _, text := range s.Attention {
		lines = append(lines, "!! "+text)
	}
	for _, next := range s.Next {
		lines = append(lines, fmt.Sprintf("   %-26s%s", next.What+":", next.Command))
	}
	if len(s.Attention) > 0 {
		lines = append(lines, "")
	} else {
		lines = nil
	}
	root := node{text: fmt.Sprintf("%s in namespace %s", s.Workload, s.Namespace)}
	if s.Rollout != "" && (s.Release == nil || s.Release.FinishedAt != nil) {
		root.add("rollout not complete: " + s.Rollout)
	}
	for _, image := range s.Images {
		root.add(fmt.Sprintf("container %s runs %s", image.Container, image.Image))
	}
	root.children = append(root.children, podNodes(s.Pods)...)
	if s.Release == nil {
		root.add("no release yet")
	} else {
		root.children = append(root.children, releaseNode(s.Release))
	}
	lines = root.render(lines)
	if len(s.Attention) == 0 {
		for _, next := range s.Next {
			lines = append(lines, fmt.Sprintf("%s: %s", next.What, next.Command))
		}
	}
	return lines
}

func podNodes(sets []PodSet) []node {
	var nodes []node
	for _, set := range sets {
		nodes = append(nodes, node{text: fmt.Sprintf("%-7s%s: %d of %d pods ready%s", set.Role, set.Name, set.Ready, set.Wanted, revisionOf(set))})
	}
	return nodes
}

func releaseNode(r *ReleaseSummary) node {
	n := node{text: fmt.Sprintf("release %s: %s", r.Name, headline(r))}
	if r.Environment != "" {
		n.add("environment " + r.Environment)
	}
	n.add(fmt.Sprintf("%s requested by %s %s", strings.ToLower(string(r.Action)), orNone(r.RequestedBy), ago(r.age)))
	if r.Reason != "" {
		n.add("reason: " + oneLine(r.Reason))
	}
	for _, a := range r.Approvals {
		text := fmt.Sprintf("approved by %s %s", orNone(a.Approver), ago(a.age))
		if a.Comment != "" {
			text += ": " + oneLine(a.Comment)
		}
		n.add(text)
	}
	if c := r.approved; c != nil && len(r.Approvals) == 0 && c.Message != "" {
		n.add(approvalWord(c) + oneLine(c.Message))
	}
	n.add("plan: " + r.Plan)
	changes := node{text: "changes"}
	for i, change := range r.Changes {
		if i == maxChanges {
			changes.add(fmt.Sprintf("… and %d more", len(r.Changes)-i))
			break
		}
		changes.add(change.String())
	}
	if len(changes.children) > 0 {
		n.children = append(n.children, changes)
	}
	if w := r.Weight; w != nil && r.FinishedAt == nil {
		n.add(fmt.Sprintf("traffic to the new pods: wanted %d %%, actual %d %%", w.Wanted, w.Actual))
	}
	if len(r.Steps) > 0 {
		n.children = append(n.children, stepsNode(r.Steps))
	}
	if r.Driver.State == DriverAlive {
		n.add(fmt.Sprintf("driven by %s, seen %s", r.Driver.Identity, ago(span(*r.Driver.LastSeen))))
	}
	return n
}

func approvalWord(c *metav1.Condition) string {
	if c.Status == metav1.ConditionTrue {
		return "approval: "
	}
	return "not approved: "
}

// headline is the phase with the newest fact and, at the end, the time it took.
func headline(r *ReleaseSummary) string {
	text := string(r.Phase)
	if r.FinishedAt != nil && r.took > 0 {
		text += " after " + Duration(r.took)
	}
	if r.Message != "" && r.Phase != v1alpha1.PhaseSucceeded {
		text += ": " + oneLine(r.Message)
	}
	return text
}

func stepsNode(steps []StepSummary) node {
	n := node{text: "steps"}
	width := 0
	for _, step := range steps {
		width = max(width, len(step.Name))
	}
	for _, step := range steps {
		took := ""
		if step.Seconds != nil {
			took = seconds(*step.Seconds)
		}
		text := fmt.Sprintf("%s %-*s  %-9s  %-6s  %s", mark(step.State), width, step.Name, step.State, took, oneLine(step.Message))
		n.add(strings.TrimRight(text, " "))
	}
	return n
}

func mark(state v1alpha1.StepState) string {
	switch state {
	case v1alpha1.StepDone:
		return "✔"
	case v1alpha1.StepRunning, v1alpha1.StepReverting:
		return "●"
	case v1alpha1.StepFailed:
		return "✘"
	case v1alpha1.StepReverted:
		return "↩"
	default:
		return "○"
	}
}

func (n *node) render(lines []string) []string {
	lines = append(lines, n.text)
	return n.renderChildren(lines, "")
}

func (n *node) renderChildren(lines []string, indent string) []string {
	for i := range n.children {
		branch, below := "├─ ", "│  "
		if i == len(n.children)-1 {
			branch, below = "└─ ", "   "
		}
		lines = append(lines, indent+branch+n.children[i].text)
		lines = n.children[i].renderChildren(lines, indent+below)
	}
	return lines
}
