package view

import (
	"fmt"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// LeftAs says in which state a release was left whose driver stopped before its end, and the commands
// that continue or undo it.
func LeftAs(r *v1alpha1.Release) []string {
	return []string{
		fmt.Sprintf("release/%s is left %s", r.Name, leftState(r)),
		"  continue:  " + commandFor("resume", r),
		"  take back: " + commandFor("abort", r) + " --yes",
	}
}

func leftState(r *v1alpha1.Release) string {
	var current *v1alpha1.StepStatus
	for i := range r.Status.Steps {
		if s := r.Status.Steps[i].State; s != v1alpha1.StepPending {
			current = &r.Status.Steps[i]
		}
	}
	switch {
	case r.Status.Phase == v1alpha1.PhaseAwaitingApproval:
		return "waiting for approval; nothing has been changed"
	case current == nil:
		return "as requested; nothing has been changed"
	case r.Status.Phase == v1alpha1.PhaseAborting:
		return fmt.Sprintf("half taken back, at step %s", current.Name)
	case r.Spec.Strategy != v1alpha1.StrategyCanary:
		return fmt.Sprintf("at step %s (%s)", current.Name, current.State)
	case r.Status.Weight != nil && r.Status.Weight.Actual > 0:
		return fmt.Sprintf("at step %s (%s): %d %% of the traffic goes to the new pods",
			current.Name, current.State, r.Status.Weight.Actual)
	default:
		return fmt.Sprintf("at step %s (%s): the old pods take all traffic", current.Name, current.State)
	}
}

// AwaitingApproval tells the requester what is missing and how it goes on.
func AwaitingApproval(r *v1alpha1.Release, message string) []string {
	if message == "" {
		message = fmt.Sprintf("another person has to approve release %q", r.Name)
	}
	return []string{
		"waiting for approval: " + message,
		"  another person:  " + commandFor("approve", r),
		"  then you:        " + commandFor("resume", r),
	}
}
