package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// finish turns the end of a run into a Result. A stop is written down; an error is passed on.
func (d *driver) finish(ctx context.Context, err error) (Result, error) {
	var stop *stopError
	if errors.As(err, &stop) {
		d.setPhase(v1alpha1.PhaseStopped, stop.message)
		// For whoever asks for the status later: the same ways out.
		d.condition(v1alpha1.ConditionProgressing, false, string(v1alpha1.PhaseStopped), strings.Join(append([]string{stop.message}, stop.next...), "\n"))
		if err := d.save(ctx); err != nil {
			return Result{}, err
		}
		result := d.result()
		result.Message, result.Next = stop.message, stop.next
		d.event(Event{Type: EventEnded, Message: stop.message})
		return result, nil
	}
	if err != nil {
		return Result{}, err
	}
	result := d.result()
	d.event(Event{Type: EventEnded, Message: result.Message})
	return result, nil
}

func (d *driver) result() Result {
	result := Result{Release: &d.rel.Release, Message: d.rel.Status.Message, TimedOut: d.timedOut, Denied: d.denied, Kept: release.GivenUp(&d.rel.Release)}
	switch d.rel.Status.Phase {
	case v1alpha1.PhaseSucceeded:
		result.Outcome = OutcomeSucceeded
	case v1alpha1.PhaseRolledBack:
		result.Outcome = OutcomeRolledBack
	case v1alpha1.PhaseAwaitingApproval:
		result.Outcome = OutcomeAwaitingApproval
		result.Next = []string{
			fmt.Sprintf("kubectl rune approve release/%s -n %s   (another person)", d.rel.Name, d.rel.Namespace),
			fmt.Sprintf("kubectl rune resume %s   (after that)", d.workload()),
		}
	default:
		result.Outcome = OutcomeStopped
	}
	return result
}

// workload is the released workload as an argument of kubectl.
func (d *driver) workload() string {
	return deploymentArgument(d.rel.Namespace, d.rel.Spec.Workload.Name)
}

func deploymentArgument(namespace, name string) string {
	return fmt.Sprintf("deployment/%s -n %s", name, namespace)
}

// staysPaused ends the message of a stop, and of nothing that follows it.
const staysPaused = "; it stays paused"

func (d *driver) stop(message string, next ...string) error {
	return &stopError{message: message, next: next}
}

// drift stops at a template that another hand wrote, with both ways out.
func (d *driver) drift(stable *Deployment, what string) error {
	w := d.workload()
	message := fmt.Sprintf("Deployment %q %s", stable.Name, what)
	if stable.Spec.Paused {
		return d.stop(message+staysPaused,
			fmt.Sprintf("kubectl rune abort %s --restore   (discard the edit: the recorded template comes back)", w),
			fmt.Sprintf("kubectl rollout resume %s && kubectl rune abort %s   (keep the edit: the Deployment rolls it out itself)", w, w))
	}
	return d.stop(message,
		fmt.Sprintf("kubectl rune abort %s   (keep the edit and give the release up)", w),
		fmt.Sprintf("kubectl rune abort %s --restore   (discard the edit: the recorded template comes back)", w))
}

func (d *driver) event(e Event) {
	e.Time, e.Release = d.opts.Clock.Now(), d.rel.Name
	d.opts.OnEvent(e)
}

func (d *driver) stepEvent(i int, message string) {
	s := d.rel.Status.Steps[i]
	d.said = ""
	d.event(Event{Type: EventStep, Step: s.Name, State: s.State, Message: message})
}

// waiting reports what a step waits for when that has changed.
func (d *driver) waiting(i int, why string) {
	if why == "" || why == d.said {
		return
	}
	d.said = why
	d.event(Event{Type: EventWaiting, Step: d.steps[i].Name, State: d.rel.Status.Steps[i].State, Message: why})
}
