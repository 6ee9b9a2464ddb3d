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

// Progress prints events as plain lines: the time since the start, the step, what happened. It leaves
// out what would only repeat a line that is still on the screen.
type Progress struct {
	w     io.Writer
	start time.Time
	// last line that was printed.
	last string
	// reason of the newest failure that was told.
	reason string
	// step that runs, and the smoke tests that it has told to be passing.
	step    string
	passing map[string]bool
	// weighed tells that the newest line told a weight, which the step's end would only repeat.
	weighed bool
}

// NewProgress prints to w; times are told from start on.
func NewProgress(w io.Writer, start time.Time) *Progress {
	return &Progress{w: w, start: start, passing: map[string]bool{}}
}

// Print prints one event.
func (p *Progress) Print(e engine.Event) {
	if e.Type == engine.EventStep && e.Step != p.step {
		p.step, p.passing = e.Step, map[string]bool{}
	}
	text := ""
	if !p.repeats(e) {
		text = p.describe(e)
	}
	p.weighed = e.Type == engine.EventWeight
	if text == "" || text == p.last {
		return
	}
	p.last = text
	fmt.Fprintf(p.w, "%6s  %s\n", offset(e.Time.Sub(p.start)), text)
}

func (p *Progress) repeats(e engine.Event) bool {
	switch {
	case e.Type == engine.EventStep:
		return e.State == v1alpha1.StepDone && p.weighed
	case e.Type == engine.EventSmoke && e.Smoke != nil && e.Smoke.Verdict() == analysis.Pass:
		told := p.passing[e.Smoke.Name]
		p.passing[e.Smoke.Name] = true
		return told
	}
	return false
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
func (p *Progress) describe(e engine.Event) string {
	if e.Step == "" && (e.Type == engine.EventWeight || e.Type == engine.EventSmoke || e.Type == engine.EventTrouble) {
		e.Step = p.step
	}
	switch e.Type {
	case engine.EventStep:
		if e.State == v1alpha1.StepFailed {
			p.reason = e.Message
			if strings.HasSuffix(p.last, e.Message) {
				e.Message = ""
			}
		}
		return stepLine(e)
	case engine.EventWaiting:
		if strings.HasPrefix(e.Message, "watching ") {
			return withStep(e.Step, e.Message)
		}
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
		if e.Message == p.reason {
			return "taking the release back"
		}
		return "taking the release back: " + e.Message
	case engine.EventEnded:
		return ""
	}
	return withStep(e.Step, e.Message)
}

// stepLine tells the end of a step. Its beginning is told by what it waits for, if it has to wait.
func stepLine(e engine.Event) string {
	words := map[v1alpha1.StepState]string{
		v1alpha1.StepDone: "done", v1alpha1.StepFailed: "failed", v1alpha1.StepReverted: "reverted",
	}
	word, told := words[e.State]
	switch {
	case !told:
		return ""
	case e.Message == "" || e.State == v1alpha1.StepReverted:
	case e.State == v1alpha1.StepDone:
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
