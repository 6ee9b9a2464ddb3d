package engine

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

const (
	kindDeployment = "Deployment"
	kindService    = "Service"
)

// uid is the workload's, recorded when the release was requested or when it created the workload.
func (d *driver) uid() types.UID {
	if d.rel.Spec.Workload.UID != "" {
		return d.rel.Spec.Workload.UID
	}
	if o := release.Object(&d.rel.Release, kindDeployment, d.rel.Spec.Workload.Name); o != nil {
		return o.UID
	}
	return ""
}

// stable reads the user's Deployment and refuses another one of the same name.
func (d *driver) stable(ctx context.Context) (*Deployment, error) {
	name := d.rel.Spec.Workload.Name
	stable, err := d.ports.Workloads.GetDeployment(ctx, d.rel.Namespace, name)
	if apierrors.IsNotFound(err) {
		return nil, d.orphan(fmt.Sprintf("Deployment %q was deleted by another hand", name))
	}
	if err != nil {
		return nil, fmt.Errorf("reading Deployment %q: %w", name, err)
	}
	if stable.UID != d.uid() {
		return nil, d.orphan(fmt.Sprintf("Deployment %q was deleted and made anew by another hand (UID %s, wanted %s)", name, stable.UID, d.uid()))
	}
	return stable, nil
}

func (d *driver) orphan(message string) error {
	d.orphaned = true
	return d.stop(message, fmt.Sprintf("kubectl rune abort release/%s -n %s   (give the release up; its canary goes with it)", d.rel.Name, d.rel.Namespace))
}

// canary reads the second Deployment; nil where there is none.
func (d *driver) canary(ctx context.Context) (*Deployment, error) {
	canary, err := d.ports.Workloads.GetDeployment(ctx, d.rel.Namespace, d.rel.Name)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // absence is a normal answer here
	}
	if err != nil {
		return nil, fmt.Errorf("reading Deployment %q: %w", d.rel.Name, err)
	}
	if !release.Owns(&d.rel.Release, kindDeployment, canary) {
		return nil, d.foreign(kindDeployment, d.rel.Name)
	}
	return canary, nil
}

func (d *driver) foreign(kind, name string) error {
	return d.stop(fmt.Sprintf("%s %q exists and does not belong to release %q", kind, name, d.rel.Name),
		fmt.Sprintf("kubectl get %s/%s -n %s -o yaml   (whose it is; remove or rename it, then kubectl rune resume %s)", kind, name, d.rel.Namespace, d.workload()))
}

// patch writes a change of the user's or the canary's Deployment: the resourceVersion is the one read,
// and the Lease is confirmed after that reading.
func (d *driver) patch(ctx context.Context, live *Deployment, c Change) (*Deployment, error) {
	if err := d.lease.confirm(ctx); err != nil {
		return nil, err
	}
	stored, err := d.ports.Workloads.PatchDeployment(ctx, live, c, Write{})
	if err != nil {
		return nil, fmt.Errorf("patching Deployment %q: %w", live.Name, err)
	}
	return stored, nil
}

func (d *driver) scale(ctx context.Context, live *Deployment, n int32) error {
	_, err := d.patch(ctx, live, Change{Replicas: &n})
	return err
}

func (d *driver) deleteDeployment(ctx context.Context, live *Deployment, how metav1.DeletionPropagation) error {
	if err := d.lease.confirm(ctx); err != nil {
		return err
	}
	err := d.ports.Workloads.DeleteDeployment(ctx, live.Namespace, live.Name, Deletion{UID: live.UID, ResourceVersion: live.ResourceVersion, Propagation: how})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting Deployment %q: %w", live.Name, err)
	}
	return nil
}

// record notes an object of ours in the journal; it is stored with the journal's next write, and until
// then the object's owner reference tells whose it is.
func (d *driver) record(kind, name string, uid types.UID) {
	if o := release.Object(&d.rel.Release, kind, name); o != nil {
		o.UID = uid
		return
	}
	d.rel.Status.Objects = append(d.rel.Status.Objects, v1alpha1.OwnedObject{Kind: kind, Name: name, UID: uid})
}

// newSet returns the ReplicaSet of the new template that a Deployment owns, or nil.
func (d *driver) newSet(ctx context.Context, owner *Deployment) (*appsv1.ReplicaSet, error) {
	sets, err := d.ports.Children.ListReplicaSets(ctx, owner.Namespace, owner.Spec.Selector)
	if err != nil {
		return nil, fmt.Errorf("listing the ReplicaSets of Deployment %q: %w", owner.Name, err)
	}
	return release.WithTemplate(release.OwnedBy(sets, owner.UID), &owner.Template.Typed), nil
}

// newPods returns the pods of the new template below a Deployment; none while it has no ReplicaSet yet.
func (d *driver) newPods(ctx context.Context, owner *Deployment) ([]corev1.Pod, error) {
	set, err := d.newSet(ctx, owner)
	if err != nil || set == nil {
		return nil, err
	}
	pods, err := d.ports.Children.ListPods(ctx, owner.Namespace, set.Spec.Selector)
	if err != nil {
		return nil, fmt.Errorf("listing the pods of ReplicaSet %q: %w", set.Name, err)
	}
	var own []corev1.Pod
	for i := range pods {
		if c := metav1.GetControllerOf(&pods[i]); c != nil && c.UID == set.UID {
			own = append(own, pods[i])
		}
	}
	return own, nil
}

// ensureService makes the preview Service of one ReplicaSet's pods.
func (d *driver) ensureService(ctx context.Context, owner *Deployment, podHash string) error {
	service, err := d.service(ctx)
	if err != nil {
		return err
	}
	if service == nil {
		wanted, err := release.PreviewService(&d.rel.Release, owner.Spec.Selector, podHash)
		if err != nil {
			return &failure{message: err.Error()}
		}
		if err := d.lease.confirm(ctx); err != nil {
			return err
		}
		service, err = d.ports.Services.CreateService(ctx, wanted)
		if err != nil {
			return fmt.Errorf("creating Service %q: %w", wanted.Name, err)
		}
	}
	d.record(kindService, service.Name, service.UID)
	return nil
}

func (d *driver) service(ctx context.Context) (*corev1.Service, error) {
	service, err := d.ports.Services.GetService(ctx, d.rel.Namespace, d.rel.Name)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // absence is a normal answer here
	}
	if err != nil {
		return nil, fmt.Errorf("reading Service %q: %w", d.rel.Name, err)
	}
	if !release.Owns(&d.rel.Release, kindService, service) {
		return nil, d.foreign(kindService, d.rel.Name)
	}
	return service, nil
}

// removeService deletes the preview Service and waits until it is gone.
func (d *driver) removeService(ctx context.Context) (progress, error) {
	if len(d.rel.Spec.Delivery.SmokeTests) == 0 {
		return done("")
	}
	service, err := d.service(ctx)
	if err != nil {
		return progress{}, err
	}
	if service == nil {
		return done("removed the preview Service")
	}
	if service.DeletionTimestamp == nil {
		if err := d.lease.confirm(ctx); err != nil {
			return progress{}, err
		}
		err := d.ports.Services.DeleteService(ctx, service.Namespace, service.Name, Deletion{UID: service.UID, ResourceVersion: service.ResourceVersion})
		if err != nil && !apierrors.IsNotFound(err) {
			return progress{}, fmt.Errorf("deleting Service %q: %w", service.Name, err)
		}
	}
	return progress{after: poll / 10, why: fmt.Sprintf("Service %q is being deleted", service.Name)}, nil
}
