package drive

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/analysis"
	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
)

// Progress prints events as plain lines: the time since the start, the step, what happened.
type Progress struct {
	w     io.Writer
	start time.Time
	last  string
}

// NewProgress prints to w; times are told from start on.
func NewProgress(w io.Writer, start time.Time) *Progress {
	return &Progress{w: w, start: start}
}

// Print prints one event. A line that only repeats the one before is left out.
func (p *Progress) Print(e engine.Event) {
	text := describe(e)
	if text == "" || text == p.last {
		return
	}
	p.last = text
	fmt.Fprintf(p.w, "%6s  %s\n", offset(e.Time.Sub(p.start)), text)
}

// offset is a time since the start: +3s, +1m05s.
func offset(d time.Duration) string {
	seconds := int64(max(d, 0) / time.Second)
	if seconds < 60 {
		return fmt.Sprintf("+%ds", seconds)
	}
	return fmt.Sprintf("+%dm%02ds", seconds/60, seconds%60)
}

// describe puts an event into words; empty where there is nothing to say.
func describe(e engine.Event) string {
	switch e.Type {
	case engine.EventStep:
		return stepLine(e)
	case engine.EventWaiting:
		return withStep(e.Step, "waiting: "+e.Message)
	case engine.EventWeight:
		return withStep(e.Step, weightLine(e))
	case engine.EventSmoke:
		return withStep(e.Step, smokeLine(e))
	case engine.EventTrouble:
		return withStep(e.Step, "trouble: "+e.Message)
	case engine.EventRetry:
		return withStep(e.Step, "trying again: "+e.Message)
	case engine.EventLease:
		return e.Message
	case engine.EventWarning:
		return "warning: " + e.Message
	case engine.EventAborting:
		return "taking the release back: " + e.Message
	case engine.EventEnded:
		return ""
	}
	return withStep(e.Step, e.Message)
}

func stepLine(e engine.Event) string {
	words := map[v1alpha1.StepState]string{
		v1alpha1.StepRunning: "begins", v1alpha1.StepDone: "done", v1alpha1.StepFailed: "failed",
		v1alpha1.StepReverting: "being reverted", v1alpha1.StepReverted: "reverted",
	}
	word := words[e.State]
	switch {
	case e.Message == "":
	case e.State == v1alpha1.StepRunning || e.State == v1alpha1.StepDone:
		word = e.Message
	default:
		word += ": " + e.Message
	}
	return withStep(e.Step, word)
}

func smokeLine(e engine.Event) string {
	if e.Smoke == nil {
		return "smoke test: " + e.Message
	}
	if e.Smoke.Verdict() == analysis.Hold {
		return fmt.Sprintf("smoke test %q has not been answered yet", e.Smoke.Name)
	}
	return "smoke test " + e.Smoke.String()
}

func weightLine(e engine.Event) string {
	var parts []string
	if e.Pods != nil {
		parts = append(parts, fmt.Sprintf("%d canary and %d stable pods ready", e.Pods.Canary, e.Pods.Stable))
	}
	if e.Weight != nil {
		parts = append(parts, fmt.Sprintf("(wanted %d %%, actual %d %%)", e.Weight.Wanted, e.Weight.Actual))
	}
	if len(parts) == 0 {
		return e.Message
	}
	return strings.Join(parts, " ")
}

func withStep(step, text string) string {
	if step == "" {
		return text
	}
	return step + ": " + text
}
