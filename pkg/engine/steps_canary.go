package engine

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// pauseStep keeps an edit of the template by another hand from starting a rollout.
type pauseStep struct{ reversible }

func (pauseStep) apply(ctx context.Context, d *driver) (progress, error) {
	stable, err := d.stable(ctx)
	if err != nil {
		return progress{}, err
	}
	if stable.Template.Hash != d.rel.From.Hash {
		return progress{}, d.drift(stable, "was given another pod template by another hand")
	}
	if !stable.Spec.Paused {
		yes := true
		if stable, err = d.patch(ctx, stable, Change{Paused: &yes}); err != nil {
			return progress{}, err
		}
	}
	if !release.Observed(&stable.Deployment) {
		p := progress{after: poll / 10}
		if d.opts.Clock.Now().Sub(d.started("pause")) > time.Second {
			p.why = "the Deployment controller has not seen the pause yet"
		}
		return p, nil
	}
	return done("paused the rollouts of Deployment %q", stable.Name)
}

// revert gives the Deployment back as it was before the release.
func (pauseStep) revert(ctx context.Context, d *driver) (progress, error) {
	stable, err := d.stable(ctx)
	if err != nil {
		return progress{}, err
	}
	no := false
	if stable.Template.Hash != d.rel.From.Hash {
		switch {
		case d.restore:
			_, err := d.patch(ctx, stable, Change{Template: &d.rel.From})
			return progress{after: poll / 10}, err
		case stable.Spec.Paused:
			return progress{}, d.drift(stable, "was given another pod template by another hand")
		}
		// Resumed by a person who keeps the edit: the template is theirs.
		d.kept = true
		return d.giveBack(ctx, stable)
	}
	if stable.Spec.Paused {
		if stable, err = d.patch(ctx, stable, Change{Paused: &no}); err != nil {
			return progress{}, err
		}
	}
	if !release.Observed(&stable.Deployment) {
		p := progress{after: poll / 10}
		if d.reverted(time.Second) {
			p.why = "the Deployment controller has not seen the resume yet"
		}
		return p, nil
	}
	return d.giveBack(ctx, stable)
}

// createCanary makes the second Deployment without pods, and the Service that selects only its pods.
type createCanary struct{ reversible }

func (createCanary) apply(ctx context.Context, d *driver) (progress, error) {
	stable, err := d.stable(ctx)
	if err != nil {
		return progress{}, err
	}
	canary, err := d.canary(ctx)
	if err != nil {
		return progress{}, err
	}
	if canary == nil {
		wanted := &Deployment{Deployment: *release.CanaryDeployment(&d.rel.Release, &stable.Deployment), Template: d.rel.To}
		if err := d.lease.confirm(ctx); err != nil {
			return progress{}, err
		}
		canary, err = d.ports.Workloads.CreateDeployment(ctx, wanted, Write{})
		if apierrors.IsAlreadyExists(err) {
			return again()
		}
		if err != nil {
			return progress{}, fmt.Errorf("creating Deployment %q: %w", wanted.Name, err)
		}
	}
	d.record(kindDeployment, canary.Name, canary.UID)
	if canary.Template.Hash != d.rel.To.Hash {
		return fail("Deployment %q was stored with another pod template than the dry run returned", canary.Name)
	}
	if len(d.rel.Spec.Delivery.SmokeTests) == 0 {
		return done("created Deployment %q", canary.Name)
	}
	set, err := d.newSet(ctx, canary)
	if err != nil {
		return progress{}, err
	}
	if set == nil {
		return progress{after: poll / 4, why: fmt.Sprintf("Deployment %q has no ReplicaSet yet", canary.Name)}, nil
	}
	if err := d.ensureService(ctx, canary, release.PodHash(set)); err != nil {
		return progress{}, err
	}
	return done("created Deployment %q and its preview Service", canary.Name)
}

func (createCanary) revert(ctx context.Context, d *driver) (progress, error) {
	canary, err := d.canary(ctx)
	if err != nil {
		return progress{}, err
	}
	if canary != nil {
		if canary.DeletionTimestamp == nil {
			// Its pods are going already. A ReplicaSet whose controller is gone is collected, never adopted.
			if err := d.deleteDeployment(ctx, canary, metav1.DeletePropagationBackground); err != nil {
				return progress{}, err
			}
		}
		return progress{after: poll / 10, why: fmt.Sprintf("Deployment %q is being deleted", canary.Name)}, nil
	}
	return d.removeService(ctx)
}

// setWeight scales both sides to a weight.
type setWeight struct {
	reversible
	weight int32
}

func (s setWeight) apply(ctx context.Context, d *driver) (progress, error) {
	stable, canary, err := d.sides(ctx)
	if err != nil {
		return progress{}, err
	}
	n := d.size(stable)
	counts := release.Ratio(n, s.weight, d.autoscaled)
	if counts.Stable == n && !d.shrunk() {
		// The stable side is whole and stays the user's to scale.
		counts.Stable = release.Replicas(&stable.Deployment)
	}
	p, err := d.level(ctx, stable, canary, counts)
	if err != nil || !p.done {
		return p, err
	}
	weight := &v1alpha1.Weight{Wanted: s.weight, Actual: release.ActualWeight(stable.Status.ReadyReplicas, canary.Status.ReadyReplicas)}
	if ready, err := d.smoke(ctx); err != nil || !ready {
		return progress{after: poll, why: "the preview Service has no endpoints yet"}, err
	}
	d.rel.Status.Weight = weight
	d.event(Event{Type: EventWeight, Weight: weight, Pods: &Pods{Stable: stable.Status.ReadyReplicas, Canary: canary.Status.ReadyReplicas}})
	return done("weight %d %% (wanted %d %%): %d stable and %d canary pods", weight.Actual, weight.Wanted, stable.Status.ReadyReplicas, canary.Status.ReadyReplicas)
}

// revert makes the stable side whole before the canary's pods go.
func (setWeight) revert(ctx context.Context, d *driver) (progress, error) {
	return d.shrinkCanary(ctx)
}

// sides reads both Deployments and stops where another hand changed what the release relies on.
func (d *driver) sides(ctx context.Context) (stable, canary *Deployment, err error) {
	if stable, err = d.stable(ctx); err != nil {
		return nil, nil, err
	}
	if stable.Template.Hash != d.rel.From.Hash {
		return nil, nil, d.drift(stable, "was given another pod template by another hand")
	}
	if canary, err = d.canary(ctx); err != nil {
		return nil, nil, err
	}
	if canary == nil || canary.DeletionTimestamp != nil {
		return nil, nil, &failure{message: fmt.Sprintf("the canary Deployment %q was deleted by another hand", d.rel.Name)}
	}
	return stable, canary, nil
}

// size is the number of pods that must always be ready: the user's, as recorded before the stable side
// was first made smaller.
func (d *driver) size(stable *Deployment) int32 {
	if o := d.rel.Status.Originals; d.shrunk() && o != nil && o.Replicas != nil {
		return *o.Replicas
	}
	return release.Replicas(&stable.Deployment)
}

// level brings both sides to their counts: what grows grows first and gets ready, then the rest shrinks.
func (d *driver) level(ctx context.Context, stable, canary *Deployment, counts release.Counts) (progress, error) {
	why, err := d.judgePods(ctx, canary)
	if err != nil {
		return progress{}, err
	}
	if release.Replicas(&stable.Deployment) < counts.Stable {
		return progress{after: poll / 4}, d.scale(ctx, stable, counts.Stable)
	}
	if release.Replicas(&canary.Deployment) < counts.Canary {
		return progress{after: poll / 4}, d.scale(ctx, canary, counts.Canary)
	}
	if !release.Observed(&canary.Deployment) || canary.Status.AvailableReplicas < counts.Canary {
		return wait("%s", orElse(why, fmt.Sprintf("%d of %d canary pods are available", canary.Status.AvailableReplicas, counts.Canary)))
	}
	if d.shrunk() && (!release.Observed(&stable.Deployment) || stable.Status.AvailableReplicas < counts.Stable) {
		return wait("%d of %d stable pods are available", stable.Status.AvailableReplicas, counts.Stable)
	}
	if release.Replicas(&stable.Deployment) > counts.Stable && !d.autoscaled {
		return progress{after: poll / 4}, d.scale(ctx, stable, counts.Stable)
	}
	if release.Replicas(&canary.Deployment) > counts.Canary {
		return progress{after: poll / 4}, d.scale(ctx, canary, counts.Canary)
	}
	if canary.Status.Replicas > counts.Canary || (d.shrunk() && stable.Status.Replicas > counts.Stable) {
		return wait("the pods that are too many are going")
	}
	return progress{done: true}, nil
}

// shrinkCanary takes the canary's pods away once the stable side is whole and ready.
func (d *driver) shrinkCanary(ctx context.Context) (progress, error) {
	canary, err := d.canary(ctx)
	if err != nil {
		return progress{}, err
	}
	stable, err := d.stable(ctx)
	if err != nil {
		return progress{}, err
	}
	if n := d.size(stable); d.shrunk() {
		if release.Replicas(&stable.Deployment) < n {
			return progress{after: poll / 4}, d.scale(ctx, stable, n)
		}
		if whole, why := release.Sized(&stable.Deployment); !whole && canary != nil && !d.reverted(stableBound) {
			return wait("the stable side is made whole before the canary goes: %s", why)
		}
	}
	d.rel.Status.Weight = &v1alpha1.Weight{}
	if canary == nil || canary.DeletionTimestamp != nil {
		return progress{done: true}, nil
	}
	if release.Replicas(&canary.Deployment) > 0 {
		err := d.scale(ctx, canary, 0)
		if refusedByAdmission(err) {
			// A deletion asks no webhook: the pods leave service though the webhook be down.
			d.event(Event{Type: EventWarning, Message: fmt.Sprintf("%v: deleting Deployment %q instead", err, canary.Name)})
			err = d.deleteDeployment(ctx, canary, metav1.DeletePropagationBackground)
		}
		return progress{after: poll / 4}, err
	}
	return progress{done: true}, nil
}

// reverted tells whether the step that is being reverted has been so for longer than a bound.
func (d *driver) reverted(bound time.Duration) bool {
	for _, s := range d.rel.Status.Steps {
		if s.State == v1alpha1.StepReverting && s.StartedAt != nil {
			return d.opts.Clock.Now().Sub(s.StartedAt.Time) > bound
		}
	}
	return false
}
