package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/runeframeos/kubectl-rune/pkg/analysis"
	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// driver runs one release while it holds the Lease.
type driver struct {
	*Engine
	rel   *Release
	lease *lease
	steps []release.Step
	impl  []step

	// restore lets an abort replace a template that another hand wrote.
	restore bool
	// vanished: the Release was deleted; orphaned: its Deployment was; kept: a template by another hand
	// was left in place.
	vanished, orphaned, kept bool

	abortAsked string
	looked     time.Time
	timedOut   bool
	denied     *PolicyError
	autoscaled bool
	said       string
	smoked     map[string]time.Time
	unreached  time.Time
}

// drive takes the Lease and carries the release to an end; with abort it takes the release back.
func (e *Engine) drive(ctx context.Context, r *v1alpha1.Release, abort *AbortOptions) (Result, error) {
	l := newLease(e, r.Namespace, r.Spec.Workload.Name)
	holder, err := l.acquire(ctx, func(holder string) {
		e.opts.OnEvent(Event{Type: EventLease, Time: e.opts.Clock.Now(), Release: r.Name,
			Message: fmt.Sprintf("the Lease is held by %q: waiting whether it is renewed, for at most %s", holder, e.opts.LeaseDuration)})
	})
	if err != nil {
		return Result{}, err
	}
	if holder != "" {
		return Result{}, &HeldError{Namespace: r.Namespace, Release: r.Name, Holder: holder}
	}
	work, lost := context.WithCancelCause(ctx)
	var keeper sync.WaitGroup
	keeper.Go(func() { l.keep(work, func() { lost(ErrLeaseLost) }) })
	d := &driver{Engine: e, lease: l, smoked: map[string]time.Time{}}
	result, err := d.run(work, r, abort)
	if errors.Is(err, errVanished) {
		err = d.rescue(work)
	}
	lost(nil)
	keeper.Wait()
	l.end(ctx, d.vanished || d.orphaned || (err == nil && d.rel != nil && d.rel.Ended()))
	return result, err
}

func (d *driver) run(ctx context.Context, r *v1alpha1.Release, abort *AbortOptions) (Result, error) {
	if err := d.load(ctx, r); err != nil {
		return Result{}, err
	}
	if d.rel.Ended() {
		return d.result(), nil
	}
	if abort != nil {
		d.restore = abort.RestoreTemplate
		d.abortAsked = orElse(abort.Reason, "aborted by hand")
	}
	if d.reverting() {
		reason := strings.TrimSuffix(d.rel.Status.Message, staysPaused)
		if abort != nil {
			reason = d.abortAsked
		}
		return d.finish(ctx, d.back(ctx, reason))
	}
	if d.abortAsked != "" {
		return d.finish(ctx, d.back(ctx, d.abortAsked))
	}
	if reason := d.overdue(); reason != "" {
		return d.finish(ctx, d.back(ctx, reason))
	}
	if waiting, err := d.begin(ctx); err != nil || waiting {
		return d.finish(ctx, err)
	}
	return d.finish(ctx, d.forward(ctx))
}

// load reads the journal live and refuses one that this release's drivers cannot have written.
func (d *driver) load(ctx context.Context, r *v1alpha1.Release) error {
	rel, err := d.ports.Journal.GetRelease(ctx, r.Namespace, r.Name)
	if err != nil {
		return fmt.Errorf("reading release %q: %w", r.Name, err)
	}
	if r.UID != "" && rel.UID != r.UID {
		return &JournalError{Message: fmt.Sprintf("release %q was deleted and made anew (UID %s, wanted %s)", r.Name, rel.UID, r.UID)}
	}
	steps, err := release.Steps(&rel.Spec)
	if err != nil {
		return &JournalError{Message: err.Error()}
	}
	if err := release.CheckJournal(&rel.Release, steps); err != nil {
		return &JournalError{Message: err.Error()}
	}
	d.rel, d.steps, d.looked = rel, steps, d.opts.Clock.Now()
	d.abortAsked = rel.Annotations[release.AnnotationAbort]
	d.impl = make([]step, len(steps))
	for i, s := range steps {
		d.impl[i] = stepFor(s)
	}
	d.autoscaled, err = d.ports.Children.Autoscaled(ctx, rel.Namespace, rel.Spec.Workload.Name)
	if err != nil {
		return fmt.Errorf("looking for an autoscaler of Deployment %q: %w", rel.Spec.Workload.Name, err)
	}
	return nil
}

func (d *driver) reverting() bool {
	if d.rel.Status.Phase == v1alpha1.PhaseAborting {
		return true
	}
	for _, s := range d.rel.Status.Steps {
		if s.State == v1alpha1.StepReverting || s.State == v1alpha1.StepReverted || s.State == v1alpha1.StepFailed {
			return true
		}
	}
	return false
}

func (d *driver) overdue() string {
	deadline := release.Deadline(&d.rel.Release)
	if deadline.IsZero() || d.opts.Clock.Now().Before(deadline) {
		return ""
	}
	d.timedOut = true
	return fmt.Sprintf("the deadline passed at %s", deadline.UTC().Format(time.RFC3339))
}

// begin checks the approvals and writes the plan into the journal. It returns true where the release
// has to wait for a person; nothing was changed then.
func (d *driver) begin(ctx context.Context) (bool, error) {
	created := d.rel.Spec.Strategy == v1alpha1.StrategyCreate
	if len(d.rel.Status.Steps) > 0 && (created || d.rel.Status.Originals != nil) {
		d.rel.Status.Phase = v1alpha1.PhaseProgressing
		return false, nil
	}
	wanting, err := d.unapproved(ctx)
	if err != nil {
		return false, err
	}
	if wanting != "" {
		d.setPhase(v1alpha1.PhaseAwaitingApproval, wanting)
		return true, d.save(ctx)
	}
	now := d.now()
	d.rel.Status.StartedAt = &now
	d.rel.Status.Steps = nil
	for _, s := range d.steps {
		d.rel.Status.Steps = append(d.rel.Status.Steps, v1alpha1.StepStatus{Name: s.Name, State: v1alpha1.StepPending})
	}
	d.setPhase(v1alpha1.PhaseProgressing, "started")
	if created {
		return false, nil
	}
	return false, d.saveOriginals(ctx)
}

// forward applies the steps that are not done yet.
func (d *driver) forward(ctx context.Context) error {
	for i := range d.steps {
		if d.rel.Status.Steps[i].State == v1alpha1.StepDone {
			continue
		}
		reason, err := d.apply(ctx, i)
		if err != nil {
			return err
		}
		if reason != "" {
			return d.back(ctx, reason)
		}
	}
	d.setPhase(v1alpha1.PhaseSucceeded, d.lastLine())
	now := d.now()
	d.rel.Status.FinishedAt = &now
	return d.save(ctx)
}

// apply carries one step to its end. A reason that is not empty means that the release must be taken back.
func (d *driver) apply(ctx context.Context, i int) (reason string, err error) {
	s := &d.rel.Status.Steps[i]
	now := d.now()
	switch {
	case s.State != v1alpha1.StepRunning:
		if err := d.refreshSize(ctx); err != nil {
			return "", err
		}
		s.State, s.StartedAt = v1alpha1.StepRunning, &now
	case d.steps[i].Kind == release.StepWatch:
		// An earlier driver's: nobody watched since it stopped, so that the time begins anew.
		s.StartedAt = &now
	}
	if err := d.save(ctx); err != nil {
		return "", err
	}
	d.stepEvent(i, "")
	for attempt := 0; ; {
		if reason, err := d.interrupted(ctx); err != nil || reason != "" {
			return reason, err
		}
		p, err := d.impl[i].apply(ctx, d)
		var failed *failure
		switch {
		case errors.As(err, &failed):
			return d.fail(i, failed.message), nil
		case err != nil:
			message, err := d.classify(ctx, err)
			if err != nil {
				return "", err
			}
			if message != "" {
				return d.fail(i, message), nil
			}
			attempt++
		case p.done:
			now := d.now()
			s = &d.rel.Status.Steps[i]
			s.State, s.FinishedAt, s.Message = v1alpha1.StepDone, &now, p.why
			d.rel.Status.Message = d.lastLine()
			d.stepEvent(i, p.why)
			return "", nil
		default:
			attempt = 0
			d.waiting(i, p.why)
		}
		if err := pause(ctx, d.opts.Clock, delay(p, attempt)); err != nil {
			return "", err
		}
	}
}

func (d *driver) fail(i int, message string) string {
	now := d.now()
	s := &d.rel.Status.Steps[i]
	s.State, s.FinishedAt, s.Message = v1alpha1.StepFailed, &now, message
	d.stepEvent(i, message)
	return message
}

// classify tells a step's error that fails the release (message) from one that ends the driver (err)
// and from one that is tried again (neither).
func (d *driver) classify(ctx context.Context, err error) (message string, end error) {
	var stop *stopError
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case errors.As(err, &stop), errors.Is(err, ErrLeaseLost), errors.Is(err, errVanished):
		return "", err
	case apierrors.IsConflict(err):
		// Another hand wrote the object, or another driver.
		return "", d.lease.check(ctx)
	}
	if p := denial("deployment/"+d.rel.Spec.Workload.Name, err); p != nil {
		d.denied = p
		return p.Message, nil
	}
	if permanent(err) {
		return err.Error(), nil
	}
	d.event(Event{Type: EventRetry, Message: err.Error()})
	return "", nil
}

// interrupted looks for a reason to take the release back from outside a step.
func (d *driver) interrupted(ctx context.Context) (string, error) {
	if err := d.look(ctx); err != nil {
		return "", err
	}
	if d.abortAsked != "" {
		return d.abortAsked, nil
	}
	return d.overdue(), nil
}

// look reads the journal now and then for a request to abort, and whether it is still there. Any other
// error is no reason to do anything: the next write of the journal will find it again.
func (d *driver) look(ctx context.Context) error {
	now := d.opts.Clock.Now()
	if now.Sub(d.looked) < journalPoll {
		return nil
	}
	d.looked = now
	rel, err := d.ports.Journal.GetRelease(ctx, d.rel.Namespace, d.rel.Name)
	switch {
	case apierrors.IsNotFound(err), err == nil && rel.UID != d.rel.UID:
		return errVanished
	case err == nil:
		d.abortAsked = orElse(d.abortAsked, rel.Annotations[release.AnnotationAbort])
	}
	return nil
}

// delay is the time until a step is applied again: what it asked for, or a growing one after errors.
func delay(p progress, attempt int) time.Duration {
	if attempt > 0 {
		return min(poll<<min(attempt, 5), 5*time.Second)
	}
	if p.after > 0 {
		return p.after
	}
	return poll
}

func (d *driver) lastLine() string {
	for i := len(d.rel.Status.Steps) - 1; i >= 0; i-- {
		if s := d.rel.Status.Steps[i]; s.State == v1alpha1.StepDone && s.Message != "" {
			return s.Message
		}
	}
	return ""
}

func findings(list []analysis.Finding) string {
	text := make([]string, 0, len(list))
	for _, f := range list {
		text = append(text, f.String())
	}
	return strings.Join(text, "; ")
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
