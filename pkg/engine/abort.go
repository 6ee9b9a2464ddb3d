package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// abort takes the release back itself where nobody drives it, else asks the driver to and waits.
func (e *Engine) abort(ctx context.Context, r *v1alpha1.Release, opts AbortOptions) (Result, error) {
	reason := orElse(opts.Reason, "aborted by hand")
	asked := false
	for {
		current, err := e.ports.Journal.GetRelease(ctx, r.Namespace, r.Name)
		if err != nil {
			return Result{}, fmt.Errorf("reading release %q: %w", r.Name, err)
		}
		if current.Ended() {
			return (&driver{Engine: e, rel: current}).result(), nil
		}
		if !asked {
			// Written before the Lease is looked at: a driver that takes it in between sees it too.
			if err := e.ports.Requests.RequestAbort(ctx, &current.Release, reason); err != nil {
				return Result{}, fmt.Errorf("asking for the abort of release %q: %w", r.Name, err)
			}
			asked = true
		}
		result, err := e.drive(ctx, r, &opts)
		var held *HeldError
		if !errors.As(err, &held) {
			return result, err
		}
		e.opts.OnEvent(Event{Type: EventLease, Time: e.opts.Clock.Now(), Release: r.Name,
			Message: fmt.Sprintf("asked %q to take the release back: waiting for it", held.Holder)})
		if err := pause(ctx, e.opts.Clock, journalPoll); err != nil {
			return Result{}, err
		}
	}
}

// back reverts the steps that were begun, the newest first, and ends the release as rolled back. A
// revert that does not succeed is tried again for as long as the caller lets it, never skipped.
func (d *driver) back(ctx context.Context, reason string) error {
	d.setPhase(v1alpha1.PhaseAborting, reason)
	d.event(Event{Type: EventAborting, Message: reason})
	if d.workloadGone(ctx) {
		d.orphaned, d.kept = true, true
		for i := range d.impl {
			d.impl[i] = abandon{}
		}
	}
	for i := len(d.rel.Status.Steps) - 1; i >= 0; i-- {
		s := &d.rel.Status.Steps[i]
		if !release.Touched(s.State) {
			continue
		}
		if s.State != v1alpha1.StepReverting {
			now := d.now()
			s.State, s.StartedAt, s.FinishedAt = v1alpha1.StepReverting, &now, nil
		}
		if err := d.revert(ctx, i); err != nil {
			return err
		}
	}
	d.setPhase(v1alpha1.PhaseRolledBack, reason)
	if d.kept {
		d.condition(v1alpha1.ConditionRolledBack, true, release.ReasonGivenUp, reason)
	}
	now := d.now()
	d.rel.Status.FinishedAt = &now
	return d.save(ctx)
}

func (d *driver) revert(ctx context.Context, i int) error {
	if d.impl[i].revertible() {
		if err := d.save(ctx); err != nil {
			return err
		}
		d.stepEvent(i, "")
		if err := d.undo(ctx, i); err != nil {
			return err
		}
	}
	now := d.now()
	s := &d.rel.Status.Steps[i]
	s.State, s.FinishedAt = v1alpha1.StepReverted, &now
	d.stepEvent(i, "")
	return nil
}

func (d *driver) undo(ctx context.Context, i int) error {
	for attempt := 0; ; {
		p, err := d.impl[i].revert(ctx, d)
		var stop *stopError
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &stop), errors.Is(err, ErrLeaseLost), errors.Is(err, errVanished):
			return err
		case err != nil:
			attempt++
			d.event(Event{Type: EventRetry, Step: d.steps[i].Name, State: v1alpha1.StepReverting,
				Message: fmt.Sprintf("taking back step %q did not succeed and is tried again: %v", d.steps[i].Name, err)})
		case p.done:
			return nil
		default:
			attempt = 0
			d.waiting(i, p.why)
		}
		if err := pause(ctx, d.opts.Clock, delay(p, attempt)); err != nil {
			return err
		}
	}
}
