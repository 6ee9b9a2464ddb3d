package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// errVanished ends a run whose Release was deleted under it.
var errVanished = errors.New("the release was deleted")

// DeletedError says that a Release was deleted while it was running, and in which state its driver
// gave the workload back. There is nothing to continue and nothing to take back.
type DeletedError struct {
	Message string
}

func (e *DeletedError) Error() string { return e.Message }

// rescue gives the workload back from memory, because the journal is gone. It ends with an error in any
// case: the release did not do what was asked for.
func (d *driver) rescue(ctx context.Context) error {
	d.vanished = true
	what := fmt.Sprintf("release %q was deleted while it was running", d.rel.Name)
	d.event(Event{Type: EventWarning, Message: what + ": giving its workload back"})
	since := d.opts.Clock.Now()
	for attempt := 0; ; {
		p, err := d.release(ctx, since)
		late := d.opts.Clock.Now().Sub(since) > stableBound
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, ErrLeaseLost):
			return err
		case err != nil && (permanent(err) || late):
			return &DeletedError{Message: fmt.Sprintf("%s, and its workload could not be given back: %v: look at kubectl get %s -o yaml, then run kubectl rollout resume %s", what, err, d.workload(), d.workload())}
		case err != nil:
			attempt++
			d.event(Event{Type: EventRetry, Message: err.Error()})
		case p.done:
			return &DeletedError{Message: what + ": " + p.why}
		default:
			attempt = 0
		}
		if err := pause(ctx, d.opts.Clock, delay(p, attempt)); err != nil {
			return err
		}
	}
}

// release undoes what the release did to the Deployment beside its template, and removes what it made.
// A template that the Deployment has already been given stays: going back may need a consent that went
// with the Release.
func (d *driver) release(ctx context.Context, since time.Time) (progress, error) {
	stable, err := d.ports.Workloads.GetDeployment(ctx, d.rel.Namespace, d.rel.Spec.Workload.Name)
	if err != nil && !apierrors.IsNotFound(err) {
		return progress{}, fmt.Errorf("reading Deployment %q: %w", d.rel.Spec.Workload.Name, err)
	}
	end := fmt.Sprintf("Deployment %q is gone too", d.rel.Spec.Workload.Name)
	switch {
	case err != nil || stable.UID != d.uid():
	case d.rel.Status.Originals == nil:
		end = fmt.Sprintf("Deployment %q is as it was left", stable.Name)
	default:
		var p progress
		if p, err = d.resume(ctx, stable, since); err != nil || !p.done {
			return p, err
		}
		end = p.why
	}
	if gone, err := d.removeCanary(ctx); err != nil || !gone {
		return progress{after: poll / 4}, err
	}
	if p, err := d.removeService(ctx); err != nil || !p.done {
		return p, err
	}
	return done("%s", end)
}

// resume makes the stable side whole, lets it roll again and gives its fields back.
func (d *driver) resume(ctx context.Context, stable *Deployment, since time.Time) (progress, error) {
	if n := d.size(stable); d.shrunk() {
		if release.Replicas(&stable.Deployment) < n {
			return progress{after: poll / 4}, d.scale(ctx, stable, n)
		}
		if whole, why := release.Sized(&stable.Deployment); !whole && d.opts.Clock.Now().Sub(since) < stableBound {
			return wait("the stable side is made whole before the canary goes: %s", why)
		}
	}
	end := "its former template"
	switch stable.Template.Hash {
	case d.rel.From.Hash:
	case d.rel.To.Hash:
		end = "the new template"
	default:
		if stable.Spec.Paused {
			return done("Deployment %q has a template by another hand and stays paused: kubectl rollout resume %s rolls it out", stable.Name, d.workload())
		}
		end = "a template by another hand"
	}
	if stable.Spec.Paused {
		no := false
		var err error
		if stable, err = d.patch(ctx, stable, Change{Paused: &no}); err != nil {
			return progress{}, err
		}
	}
	if p, err := d.giveBack(ctx, stable); err != nil || !p.done {
		return p, err
	}
	return done("Deployment %q is resumed with %s", stable.Name, end)
}

// removeCanary deletes the second Deployment, if the release made one, and tells whether it is gone.
func (d *driver) removeCanary(ctx context.Context) (gone bool, err error) {
	if d.rel.Spec.Strategy != v1alpha1.StrategyCanary {
		return true, nil
	}
	canary, err := d.ports.Workloads.GetDeployment(ctx, d.rel.Namespace, d.rel.Name)
	switch {
	case apierrors.IsNotFound(err):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("reading Deployment %q: %w", d.rel.Name, err)
	case !release.Owns(&d.rel.Release, kindDeployment, canary):
		return true, nil
	case canary.DeletionTimestamp != nil:
		return false, nil
	}
	return false, d.deleteDeployment(ctx, canary, metav1.DeletePropagationBackground)
}

// workloadGone tells whether another hand deleted the Deployment, so that nothing can be taken back.
func (d *driver) workloadGone(ctx context.Context) bool {
	if d.rel.Spec.Strategy == v1alpha1.StrategyCreate {
		return false
	}
	stable, err := d.ports.Workloads.GetDeployment(ctx, d.rel.Namespace, d.rel.Spec.Workload.Name)
	return apierrors.IsNotFound(err) || (err == nil && stable.UID != d.uid())
}

// abandon is the way back of a release whose Deployment is gone: what the release made is removed.
type abandon struct{ reversible }

func (abandon) apply(context.Context, *driver) (progress, error) { return progress{done: true}, nil }

func (abandon) revert(ctx context.Context, d *driver) (progress, error) {
	if gone, err := d.removeCanary(ctx); err != nil || !gone {
		return progress{after: poll / 4}, err
	}
	return d.removeService(ctx)
}
