package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// save writes the journal. A conflict is looked into: an annotation that asks for an abort changes the
// resourceVersion too, another driver's journal ends this one.
func (d *driver) save(ctx context.Context) error {
	d.rel.Status.Driver = d.opts.Identity
	d.rel.Status.ObservedGeneration = d.rel.Generation
	for attempt := 1; ; attempt++ {
		if err := d.lease.confirm(ctx); err != nil {
			if errors.Is(err, ErrLeaseLost) {
				return err
			}
			d.event(Event{Type: EventRetry, Message: err.Error()})
		} else {
			stored, err := d.ports.Journal.UpdateStatus(ctx, d.rel)
			switch {
			case err == nil:
				d.rel = stored
				return nil
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case apierrors.IsConflict(err):
				if err := d.catchUp(ctx); err != nil {
					return err
				}
				continue
			case apierrors.IsNotFound(err):
				return errVanished
			case permanent(err):
				return fmt.Errorf("writing the journal of release %q: %w", d.rel.Name, err)
			default:
				d.event(Event{Type: EventRetry, Message: fmt.Sprintf("writing the journal of release %q: %v", d.rel.Name, err)})
			}
		}
		if err := pause(ctx, d.opts.Clock, delay(progress{}, attempt)); err != nil {
			return err
		}
	}
}

// catchUp takes over the stored object's metadata and keeps what this driver knows of the status.
func (d *driver) catchUp(ctx context.Context) error {
	stored, err := d.ports.Journal.GetRelease(ctx, d.rel.Namespace, d.rel.Name)
	switch {
	case apierrors.IsNotFound(err):
		return errVanished
	case err != nil:
		return fmt.Errorf("reading release %q: %w", d.rel.Name, err)
	case stored.UID != d.rel.UID:
		return errVanished
	}
	// Whoever holds the Lease owns the status, whatever another driver wrote into it before.
	if err := d.lease.check(ctx); err != nil {
		return err
	}
	stored.Status = d.rel.Status
	d.rel = stored
	d.abortAsked = orElse(d.abortAsked, stored.Annotations[release.AnnotationAbort])
	return nil
}

// saveOriginals records the user's values before anything changes.
func (d *driver) saveOriginals(ctx context.Context) error {
	stable, err := d.stable(ctx)
	if err != nil {
		return err
	}
	if stable.Template.Hash != d.rel.From.Hash {
		return d.drift(stable, "has another pod template than when the release was requested")
	}
	if stable.Spec.Paused {
		return d.stop(fmt.Sprintf("Deployment %q is paused by another hand", stable.Name),
			fmt.Sprintf("kubectl rollout resume %[1]s && kubectl rune resume %[1]s   (go on)", d.workload()),
			fmt.Sprintf("kubectl rune abort %s   (give the release up)", d.workload()))
	}
	fields, err := json.Marshal(stable.ManagedFields)
	if err != nil {
		return fmt.Errorf("encoding the managed fields of Deployment %q: %w", stable.Name, err)
	}
	size := release.Replicas(&stable.Deployment)
	originals := &v1alpha1.Originals{Replicas: &size, ManagedFields: string(fields)}
	if value, ok := stable.Annotations[v1alpha1.AnnotationRelease]; ok {
		originals.ReleaseAnnotation = &value
	}
	d.rel.Status.Originals = originals
	return nil
}

// refreshSize keeps the recorded size true while the size is still the user's to change.
func (d *driver) refreshSize(ctx context.Context) error {
	if d.rel.Status.Originals == nil || d.shrunk() || d.rel.Spec.Strategy != v1alpha1.StrategyCanary {
		return nil
	}
	stable, err := d.ports.Workloads.GetDeployment(ctx, d.rel.Namespace, d.rel.Spec.Workload.Name)
	if err != nil || stable.UID != d.rel.Spec.Workload.UID {
		// The step itself reads the Deployment again and says what is wrong.
		return nil
	}
	size := release.Replicas(&stable.Deployment)
	d.rel.Status.Originals.Replicas = &size
	return nil
}

// shrunk tells whether a step was begun that takes pods from the stable side.
func (d *driver) shrunk() bool {
	if d.autoscaled {
		return false
	}
	for i, s := range d.steps {
		if s.Kind == release.StepSetWeight && s.Weight > 50 && d.rel.Status.Steps[i].State != v1alpha1.StepPending {
			return true
		}
	}
	return false
}

func (d *driver) now() metav1.MicroTime {
	return metav1.NewMicroTime(d.opts.Clock.Now())
}

// setPhase sets the phase and the conditions that follow from it, so that `kubectl wait` works.
func (d *driver) setPhase(phase v1alpha1.Phase, message string) {
	status := &d.rel.Status
	status.Phase = phase
	if message != "" {
		status.Message = message
	}
	reason := string(phase)
	d.condition(v1alpha1.ConditionProgressing, phase == v1alpha1.PhaseProgressing || phase == v1alpha1.PhaseAborting, reason, status.Message)
	d.condition(v1alpha1.ConditionSucceeded, phase == v1alpha1.PhaseSucceeded, reason, status.Message)
	d.condition(v1alpha1.ConditionRolledBack, phase == v1alpha1.PhaseRolledBack, reason, status.Message)
}

func (d *driver) condition(kind string, truth bool, reason, message string) {
	value := metav1.ConditionFalse
	if truth {
		value = metav1.ConditionTrue
	}
	meta.SetStatusCondition(&d.rel.Status.Conditions, metav1.Condition{
		Type: kind, Status: value, Reason: reason, Message: cut(message),
		ObservedGeneration: d.rel.Generation, LastTransitionTime: metav1.NewTime(d.opts.Clock.Now()),
	})
}

// cut keeps a message within what a condition may hold.
func cut(message string) string {
	const limit = 32 * 1024
	if len(message) <= limit {
		return message
	}
	return strings.ToValidUTF8(message[:limit], "")
}
