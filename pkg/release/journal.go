package release

import (
	"fmt"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// CheckJournal compares a Release's journal with the steps that its spec gives. A journal that no
// driver of this release can have written is an error: whoever finds it must stop, never guess.
func CheckJournal(r *v1alpha1.Release, steps []Step) error {
	status := &r.Status
	if len(status.Steps) == 0 {
		switch status.Phase {
		case "", v1alpha1.PhasePending, v1alpha1.PhaseAwaitingApproval, v1alpha1.PhaseRolledBack, v1alpha1.PhaseStopped, v1alpha1.PhaseAborting:
			return nil
		default:
			return fmt.Errorf("reading the journal of release %q: phase is %s but no step is recorded", r.Name, status.Phase)
		}
	}
	if len(status.Steps) != len(steps) {
		return fmt.Errorf("reading the journal of release %q: %d steps are recorded, its plan has %d", r.Name, len(status.Steps), len(steps))
	}
	open, touched := false, false
	for i, s := range status.Steps {
		if s.Name != steps[i].Name {
			return fmt.Errorf("reading the journal of release %q: status.steps[%d] is %q, its plan has %q", r.Name, i, s.Name, steps[i].Name)
		}
		if open && s.State != v1alpha1.StepPending {
			return fmt.Errorf("reading the journal of release %q: step %q is %s although an earlier one has not ended", r.Name, s.Name, s.State)
		}
		open = open || s.State == v1alpha1.StepPending || s.State == v1alpha1.StepRunning
		touched = touched || s.State != v1alpha1.StepPending
	}
	if touched && status.Originals == nil && r.Spec.Strategy != v1alpha1.StrategyCreate {
		return fmt.Errorf("reading the journal of release %q: status.originals is missing, so the workload's former values are unknown", r.Name)
	}
	return nil
}

// Touched tells whether a step was begun, so that there may be something to revert.
func Touched(s v1alpha1.StepState) bool {
	switch s {
	case v1alpha1.StepRunning, v1alpha1.StepDone, v1alpha1.StepFailed, v1alpha1.StepReverting:
		return true
	default:
		return false
	}
}

// Object returns the recorded object of a kind and name that the release made, or nil.
func Object(r *v1alpha1.Release, kind, name string) *v1alpha1.OwnedObject {
	for i := range r.Status.Objects {
		if o := &r.Status.Objects[i]; o.Kind == kind && o.Name == name {
			return o
		}
	}
	return nil
}
