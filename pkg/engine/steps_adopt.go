package engine

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// grow brings the canary to the size of the workload, all of it available: a Deployment that adopts
// fewer pods than it wants scales both sides in proportion, below that size.
type grow struct{ reversible }

func (grow) apply(ctx context.Context, d *driver) (progress, error) {
	stable, canary, err := d.sides(ctx)
	if err != nil {
		return progress{}, err
	}
	n := d.size(stable)
	p, err := d.level(ctx, stable, canary, release.Counts{Stable: release.Replicas(&stable.Deployment), Canary: n})
	if err != nil || !p.done {
		return p, err
	}
	return done("all %d pods of the new template are available", n)
}

func (grow) revert(ctx context.Context, d *driver) (progress, error) {
	return d.shrinkCanary(ctx)
}

// adopt gives the Deployment the new template while it is paused, lets go of the canary's ReplicaSet
// and lets the Deployment adopt it: no pod is started twice.
type adopt struct {
	reversible
	name string
}

func (a adopt) apply(ctx context.Context, d *driver) (progress, error) {
	stable, err := d.stable(ctx)
	if err != nil {
		return progress{}, err
	}
	switch stable.Template.Hash {
	case d.rel.From.Hash:
		return d.giveTemplate(ctx, stable)
	case d.rel.To.Hash:
		return a.adoption(ctx, d, stable)
	default:
		return progress{}, d.drift(stable, "was given another pod template by another hand")
	}
}

// giveTemplate patches the template, the pointer to the Release and the size in one write.
func (d *driver) giveTemplate(ctx context.Context, stable *Deployment) (progress, error) {
	canary, err := d.canary(ctx)
	if err != nil {
		return progress{}, err
	}
	n := d.size(stable)
	if canary == nil || canary.DeletionTimestamp != nil {
		return fail("the canary Deployment %q was deleted by another hand", d.rel.Name)
	}
	if release.Replicas(&canary.Deployment) != n {
		// The size changed since the canary grew.
		return progress{after: poll / 4}, d.scale(ctx, canary, n)
	}
	if whole, why := release.Sized(&canary.Deployment); !whole {
		if _, err := d.judgePods(ctx, canary); err != nil {
			return progress{}, err
		}
		return wait("the canary is not whole: %s", why)
	}
	if cleared, err := d.clearHistory(ctx, stable); err != nil || !cleared {
		return progress{after: poll / 4, why: "an older revision with the same template is being removed"}, err
	}
	yes := true
	change := Change{Template: &d.rel.To, Annotation: &d.rel.Name, Paused: &yes}
	if d.shrunk() {
		change.Replicas = &n
	}
	_, err = d.patch(ctx, stable, change)
	return progress{after: 1}, err
}

// clearHistory removes an empty ReplicaSet of the new template from the Deployment's history: of two
// equal ones the Deployment controller takes the oldest for the new one, and would scale the adopted
// one down (k8s.io/kubectl/pkg/util/deployment, FindNewReplicaSet). The history loses nothing: a native
// rollout would have given that ReplicaSet the newest revision, which the adopted one gets instead.
func (d *driver) clearHistory(ctx context.Context, stable *Deployment) (cleared bool, err error) {
	sets, err := d.ports.Children.ListReplicaSets(ctx, stable.Namespace, stable.Spec.Selector)
	if err != nil {
		return false, fmt.Errorf("listing the ReplicaSets of Deployment %q: %w", stable.Name, err)
	}
	old := release.WithTemplate(release.OwnedBy(sets, stable.UID), &d.rel.To.Typed)
	if old == nil {
		return true, nil
	}
	if old.Status.Replicas > 0 || old.Spec.Replicas == nil || *old.Spec.Replicas > 0 {
		return false, &failure{message: fmt.Sprintf("ReplicaSet %q of Deployment %q already runs pods of the new template", old.Name, stable.Name)}
	}
	if old.DeletionTimestamp == nil {
		if err := d.lease.confirm(ctx); err != nil {
			return false, err
		}
		err := d.ports.History.DeleteReplicaSet(ctx, old.Namespace, old.Name, Deletion{UID: old.UID, ResourceVersion: old.ResourceVersion, Propagation: metav1.DeletePropagationBackground})
		if err != nil && !apierrors.IsNotFound(err) {
			return false, fmt.Errorf("deleting ReplicaSet %q: %w", old.Name, err)
		}
	}
	return false, nil
}

// adoption lets go of the canary, waits until its ReplicaSet belongs to the Deployment, and resumes it.
func (a adopt) adoption(ctx context.Context, d *driver, stable *Deployment) (progress, error) {
	canary, err := d.canary(ctx)
	if err != nil {
		return progress{}, err
	}
	if canary != nil {
		if canary.DeletionTimestamp == nil {
			if err := d.deleteDeployment(ctx, canary, metav1.DeletePropagationOrphan); err != nil {
				return progress{}, err
			}
		}
		return progress{after: poll / 4, why: "the canary lets go of its ReplicaSet"}, nil
	}
	complete, why := release.Complete(&stable.Deployment)
	if stable.Spec.Paused {
		if !complete && d.opts.Clock.Now().Sub(d.started(a.name)) < adoptionBound {
			return progress{after: poll / 4, why: "the ReplicaSet is being adopted: " + why}, nil
		}
		no := false
		_, err := d.patch(ctx, stable, Change{Paused: &no})
		return progress{after: poll / 4}, err
	}
	if !complete {
		trouble, err := d.judgePods(ctx, stable)
		if err != nil {
			return progress{}, err
		}
		return wait("the Deployment finishes by its own rolling update: %s", orElse(trouble, why))
	}
	return done("Deployment %q adopted the %d pods of the new template", stable.Name, release.Replicas(&stable.Deployment))
}

// revert brings the former template back. While the canary still exists the Deployment has adopted
// nothing, and its own pods are all there; after that its rolling update goes back.
func (adopt) revert(ctx context.Context, d *driver) (progress, error) {
	stable, err := d.stable(ctx)
	if err != nil {
		return progress{}, err
	}
	switch stable.Template.Hash {
	case d.rel.From.Hash:
		if stable.Spec.Paused {
			return progress{done: true}, nil
		}
		return d.restored(stable)
	case d.rel.To.Hash:
		canary, err := d.canary(ctx)
		if err != nil {
			return progress{}, err
		}
		if canary != nil && canary.DeletionTimestamp != nil {
			return progress{after: poll / 4, why: "the canary lets go of its ReplicaSet"}, nil
		}
		change := Change{Template: &d.rel.From}
		if canary == nil {
			no := false
			change.Paused = &no
		}
		_, err = d.patch(ctx, stable, change)
		return progress{after: poll / 4}, err
	default:
		return d.drifted(ctx, stable)
	}
}

// restored waits until the Deployment runs its former template only.
func (d *driver) restored(stable *Deployment) (progress, error) {
	if complete, why := release.Complete(&stable.Deployment); !complete {
		return wait("going back to the former template: %s", why)
	}
	return progress{done: true}, nil
}

// drifted decides about a template that is neither the old nor the new one: it is another hand's.
func (d *driver) drifted(ctx context.Context, stable *Deployment) (progress, error) {
	switch {
	case d.restore:
		no := false
		_, err := d.patch(ctx, stable, Change{Template: &d.rel.From, Paused: &no})
		return progress{after: poll / 4}, err
	case stable.Spec.Paused:
		return progress{}, d.drift(stable, "was given another pod template by another hand")
	default:
		d.kept = true
		d.event(Event{Type: EventWarning, Message: "the template of Deployment \"" + stable.Name + "\" was changed by another hand and is left as it is"})
		return progress{done: true}, nil
	}
}
