package view

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// maxChanges is the number of changed fields that are shown; beyond it a command to see all is named.
const maxChanges = 60

// Request describes for an approver what a Release would do. Every field of the pod template that
// changes is shown, because an approval covers all of them.
func Request(r *v1alpha1.Release) []string {
	return request(r, Changes(r.Spec.From, &r.Spec.To))
}

// RawRequest is Request for a Release as it stands in storage, with the fields that no type knows.
func RawRequest(r *v1alpha1.Release, stored []byte) ([]string, error) {
	var raw struct {
		Spec struct {
			From, To json.RawMessage
		} `json:"spec"`
	}
	if err := json.Unmarshal(stored, &raw); err != nil {
		return nil, fmt.Errorf("decoding release %q: %w", r.Name, err)
	}
	if r.Spec.From == nil {
		return Request(r), nil
	}
	changes, err := RawChanges(raw.Spec.From, raw.Spec.To)
	if err != nil {
		return nil, fmt.Errorf("comparing the templates of release %q: %w", r.Name, err)
	}
	return request(r, changes), nil
}

func request(r *v1alpha1.Release, changes []Change) []string {
	lines := []string{
		fmt.Sprintf("release %s: %s", r.Name, purpose(r)),
		"  workload:     " + workloadOf(r),
		"  environment:  " + orNone(r.Spec.Environment),
	}
	if user := r.Spec.RequestedBy.Username; user != "" {
		lines = append(lines, "  requested by: "+oneLine(user))
	}
	if r.Spec.Reason != "" {
		lines = append(lines, "  reason:       "+oneLine(r.Spec.Reason))
	}
	lines = append(lines, "  plan:         "+Plan(&r.Spec))
	if d := r.Spec.Delivery.Deadline; d != nil {
		lines = append(lines, "  deadline:     "+Duration(d.Duration)+" from its start, then it is taken back")
	}
	for i, test := range r.Spec.Delivery.SmokeTests {
		label := "  smoke tests:  "
		if i > 0 {
			label = "                "
		}
		lines = append(lines, label+smokeTest(test))
	}
	lines = append(lines, "  changes:")
	if len(changes) == 0 {
		lines = append(lines, "    <none>")
	}
	for i, change := range changes {
		if i == maxChanges {
			lines = append(lines, fmt.Sprintf("    … and %d more: kubectl get release %s -n %s -o yaml", len(changes)-i, r.Name, r.Namespace))
			break
		}
		lines = append(lines, "    "+change.String())
	}
	if r.Spec.From == nil {
		lines = append(lines, "    and all else: it is new here")
	}
	return lines
}

// okStatus is what a smoke test wants that names no status.
const okStatus = 200

func smokeTest(t v1alpha1.SmokeTest) string {
	status, requests := t.ExpectStatus, max(t.Requests, 1)
	if status == 0 {
		status = okStatus
	}
	text := fmt.Sprintf("%s: GET %s answers %d", oneLine(t.Name), oneLine(t.Path), status)
	if requests > 1 {
		text += fmt.Sprintf(", %d times", requests)
	}
	if t.Port != "" {
		text += ", port " + oneLine(t.Port)
	}
	return text
}

func purpose(r *v1alpha1.Release) string {
	switch {
	case r.Spec.Strategy == v1alpha1.StrategyCreate:
		return strings.ToLower(string(r.Spec.Action)) + " of a workload that is new here"
	case r.Spec.Action == v1alpha1.ActionCanary:
		return "canary"
	default:
		return fmt.Sprintf("%s, %s", strings.ToLower(string(r.Spec.Action)), strings.ToLower(string(r.Spec.Strategy)))
	}
}

func workloadOf(r *v1alpha1.Release) string {
	return fmt.Sprintf("%s/%s in namespace %s", strings.ToLower(r.Spec.Workload.Kind), r.Spec.Workload.Name, r.Namespace)
}

// Plan is a release's way in one line: "10 %, watch 5m, 50 %, watch 5m, then all; 2 smoke tests; 30m at most".
func Plan(spec *v1alpha1.ReleaseSpec) string {
	var parts []string
	switch spec.Strategy {
	case v1alpha1.StrategyCanary:
		parts = append(parts, canarySteps(spec.Delivery.Canary)+"then all")
	case v1alpha1.StrategyRolling:
		parts = append(parts, "rolling update")
	case v1alpha1.StrategyCreate:
		parts = append(parts, "create")
	}
	if n := len(spec.Delivery.SmokeTests); n > 0 {
		parts = append(parts, fmt.Sprintf("%d smoke %s", n, plural(n, "test")))
	}
	if d := spec.Delivery.Deadline; d != nil {
		parts = append(parts, Duration(d.Duration)+" at most")
	}
	return strings.Join(parts, "; ")
}

func canarySteps(plan *v1alpha1.CanaryPlan) string {
	if plan == nil {
		return ""
	}
	var text strings.Builder
	for _, step := range plan.Steps {
		switch {
		case step.SetWeight != nil:
			fmt.Fprintf(&text, "%d %%, ", *step.SetWeight)
		case step.Pause != nil:
			fmt.Fprintf(&text, "watch %s, ", Duration(step.Pause.Duration))
		}
	}
	return text.String()
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

func orNone(s string) string {
	if s == "" {
		return "<none>"
	}
	return oneLine(s)
}

// oneLine keeps text that a user wrote from forging lines or moving the cursor of a terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return ' '
		}
		return r
	}, s)
}
