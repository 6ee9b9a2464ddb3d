package engine

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// changeTemplate gives the Deployment the new template under its own strategy.
type changeTemplate struct{ reversible }

func (changeTemplate) apply(ctx context.Context, d *driver) (progress, error) {
	stable, err := d.stable(ctx)
	if err != nil {
		return progress{}, err
	}
	switch stable.Template.Hash {
	case d.rel.To.Hash:
	case d.rel.From.Hash:
		if _, err := d.patch(ctx, stable, Change{Template: &d.rel.To, Annotation: &d.rel.Name}); err != nil {
			return progress{}, err
		}
	default:
		return progress{}, d.drift(stable, "was given another pod template by another hand")
	}
	return done("gave Deployment %q the new template", stable.Name)
}

func (changeTemplate) revert(ctx context.Context, d *driver) (progress, error) {
	stable, err := d.stable(ctx)
	if err != nil {
		return progress{}, err
	}
	switch stable.Template.Hash {
	case d.rel.From.Hash:
		// What is waited for is the way back only: the former template may never have been complete.
		if !release.Observed(&stable.Deployment) {
			return wait("the Deployment controller has not seen the former template yet")
		}
		if complete, why := release.Complete(&stable.Deployment); !complete && !d.reverted(stableBound) {
			return wait("going back to the former template: %s", why)
		}
		return d.giveBack(ctx, stable)
	case d.rel.To.Hash:
		_, err := d.patch(ctx, stable, Change{Template: &d.rel.From})
		return progress{after: poll / 4}, err
	default:
		p, err := d.drifted(ctx, stable)
		if err != nil || !p.done {
			return p, err
		}
		return d.giveBack(ctx, stable)
	}
}

// rollout waits until the Deployment runs the new template only.
type rollout struct{ irreversible }

func (rollout) apply(ctx context.Context, d *driver) (progress, error) {
	stable, err := d.stable(ctx)
	if err != nil {
		return progress{}, err
	}
	if stable.Template.Hash != d.rel.To.Hash {
		return progress{}, d.drift(stable, "was given another pod template by another hand")
	}
	why, err := d.judgePods(ctx, stable)
	if err != nil {
		return progress{}, err
	}
	if complete, missing := release.Complete(&stable.Deployment); !complete {
		return wait("%s", orElse(why, missing))
	}
	return done("all %d pods of Deployment %q run the new template", release.Replicas(&stable.Deployment), stable.Name)
}

// createWorkload creates the Deployment that the release brings. It belongs to the Release until its
// UID is in the journal, so that no other Deployment of the name can be taken for it.
type createWorkload struct{ reversible }

func (createWorkload) apply(ctx context.Context, d *driver) (progress, error) {
	name := d.rel.Spec.Workload.Name
	live, err := d.ports.Workloads.GetDeployment(ctx, d.rel.Namespace, name)
	switch {
	case apierrors.IsNotFound(err):
		if release.Object(&d.rel.Release, kindDeployment, name) != nil {
			return fail("Deployment %q was deleted by another hand", name)
		}
		return d.createFromManifest(ctx)
	case err != nil:
		return progress{}, fmt.Errorf("reading Deployment %q: %w", name, err)
	case !release.Owns(&d.rel.Release, kindDeployment, live):
		return progress{}, d.foreign(kindDeployment, name)
	}
	if release.Object(&d.rel.Release, kindDeployment, name) == nil {
		d.record(kindDeployment, name, live.UID)
		if err := d.save(ctx); err != nil {
			return progress{}, err
		}
	}
	for _, ref := range live.OwnerReferences {
		if ref.UID == d.rel.UID {
			_, err := d.patch(ctx, live, Change{Disown: d.rel.UID})
			return progress{after: poll / 4}, err
		}
	}
	return done("created Deployment %q", name)
}

func (d *driver) createFromManifest(ctx context.Context) (progress, error) {
	workload, err := release.WorkloadFrom(&d.rel.Release)
	if err != nil {
		return progress{}, &failure{message: err.Error()}
	}
	if err := d.lease.confirm(ctx); err != nil {
		return progress{}, err
	}
	if _, err := d.ports.Workloads.CreateDeployment(ctx, &Deployment{Deployment: *workload, Template: d.rel.To}, Write{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return progress{}, fmt.Errorf("creating Deployment %q: %w", workload.Name, err)
	}
	return progress{after: poll / 4}, nil
}

func (createWorkload) revert(ctx context.Context, d *driver) (progress, error) {
	name := d.rel.Spec.Workload.Name
	live, err := d.ports.Workloads.GetDeployment(ctx, d.rel.Namespace, name)
	if apierrors.IsNotFound(err) {
		return progress{done: true}, nil
	}
	if err != nil {
		return progress{}, fmt.Errorf("reading Deployment %q: %w", name, err)
	}
	if !release.Owns(&d.rel.Release, kindDeployment, live) {
		// Another hand's: this release never made it.
		d.event(Event{Type: EventWarning, Message: fmt.Sprintf("Deployment %q is not of this release and is left as it is", name)})
		return progress{done: true}, nil
	}
	if live.DeletionTimestamp == nil {
		if err := d.deleteDeployment(ctx, live, metav1.DeletePropagationForeground); err != nil {
			return progress{}, err
		}
	}
	return wait("Deployment %q is being deleted", name)
}

// handBack returns the fields of the user's Deployment to their earlier owners.
type handBack struct{ irreversible }

func (handBack) apply(ctx context.Context, d *driver) (progress, error) {
	stable, err := d.stable(ctx)
	if err != nil {
		return progress{}, err
	}
	if err := d.giveFieldsBack(ctx, stable); err != nil {
		return progress{}, err
	}
	return done("Deployment %q runs the new template, and its fields belong to their former owners", stable.Name)
}

// giveBack restores the annotation and the owners of the fields of a Deployment that is otherwise as
// it was: the last write of a release that was taken back.
func (d *driver) giveBack(ctx context.Context, stable *Deployment) (progress, error) {
	original := ""
	if o := d.rel.Status.Originals; o != nil && o.ReleaseAnnotation != nil {
		original = *o.ReleaseAnnotation
	}
	if value := stable.Annotations[v1alpha1.AnnotationRelease]; value != original {
		var err error
		if stable, err = d.patch(ctx, stable, Change{Annotation: &original}); err != nil {
			return progress{}, err
		}
	}
	if err := d.giveFieldsBack(ctx, stable); err != nil {
		return progress{}, err
	}
	return progress{done: true}, nil
}

// giveFieldsBack is a patch of the managed fields alone; there is none where nothing is ours.
func (d *driver) giveFieldsBack(ctx context.Context, stable *Deployment) error {
	ours := false
	for _, f := range stable.ManagedFields {
		ours = ours || (f.Manager == v1alpha1.FieldManager && f.Subresource == "")
	}
	o := d.rel.Status.Originals
	if !ours || o == nil || o.ManagedFields == "" {
		return nil
	}
	_, err := d.patch(ctx, stable, Change{GiveBack: json.RawMessage(o.ManagedFields)})
	return err
}
