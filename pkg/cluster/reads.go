package cluster

import (
	"context"
	"fmt"
	"sort"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/apply"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// Deployment reads one Deployment.
func (c *Cluster) Deployment(ctx context.Context, name string) (*engine.Deployment, error) {
	return c.GetDeployment(ctx, c.namespace, name)
}

// Release reads one Release.
func (c *Cluster) Release(ctx context.Context, name string) (*v1alpha1.Release, error) {
	r, err := c.GetRelease(ctx, c.namespace, name)
	if err != nil {
		return nil, err
	}
	return &r.Release, nil
}

// Releases returns the Releases of a workload, the newest first; of all workloads where the name is empty.
func (c *Cluster) Releases(ctx context.Context, workload string) ([]v1alpha1.Release, error) {
	releases, err := c.ListReleases(ctx, c.namespace, workload)
	if err != nil {
		return nil, err
	}
	sort.SliceStable(releases, func(i, j int) bool {
		a, b := &releases[i], &releases[j]
		x, _ := release.Number(a.Spec.Workload.Name, a.Name)
		y, _ := release.Number(b.Spec.Workload.Name, b.Name)
		if a.Spec.Workload.Name == b.Spec.Workload.Name && x != y {
			return x > y
		}
		return b.CreationTimestamp.Before(&a.CreationTimestamp)
	})
	return releases, nil
}

// InFlight returns the Release of a workload that has not ended, or nil.
func (c *Cluster) InFlight(ctx context.Context, workload string) (*v1alpha1.Release, error) {
	releases, err := c.Releases(ctx, workload)
	if err != nil {
		return nil, err
	}
	for i := range releases {
		if !releases[i].Ended() {
			return &releases[i], nil
		}
	}
	return nil, nil //nolint:nilnil // none in flight is a normal answer
}

// Approvals returns the Approvals that name one Release.
func (c *Cluster) Approvals(ctx context.Context, r *v1alpha1.Release) ([]v1alpha1.Approval, error) {
	all, err := c.ListApprovals(ctx, r.Namespace)
	if err != nil {
		return nil, err
	}
	var own []v1alpha1.Approval
	for i := range all {
		if all[i].Spec.Release.UID == r.UID {
			own = append(own, all[i])
		}
	}
	return own, nil
}

// CreateApproval records the caller's consent; the webhook stamps who it is.
func (c *Cluster) CreateApproval(ctx context.Context, a *v1alpha1.Approval, w engine.Write) (*v1alpha1.Approval, error) {
	object := a.DeepCopy()
	object.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.KindApproval}
	u, err := stored(object)
	if err != nil {
		return nil, err
	}
	answer, err := c.rune("approvals", a.Namespace).Create(ctx, u, metav1.CreateOptions{DryRun: dryRun(w), FieldManager: apply.FieldManager})
	if err != nil {
		return nil, err
	}
	return typed[v1alpha1.Approval](answer)
}

// Environments returns all Environments, by name.
func (c *Cluster) Environments(ctx context.Context) ([]v1alpha1.Environment, error) {
	items, err := c.rune("environments", "").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	environments := list[v1alpha1.Environment](c, items, nil)
	sort.Slice(environments, func(i, j int) bool { return environments[i].Name < environments[j].Name })
	return environments, nil
}

// EnvironmentOf returns the Environment that covers a namespace, or nil.
func (c *Cluster) EnvironmentOf(ctx context.Context, namespace string) (*v1alpha1.Environment, error) {
	environments, err := c.Environments(ctx)
	if err != nil {
		return nil, err
	}
	return v1alpha1.Owner(environments, namespace), nil
}

// ReplicaSets returns the ReplicaSets that a Deployment controls.
func (c *Cluster) ReplicaSets(ctx context.Context, d *engine.Deployment) ([]appsv1.ReplicaSet, error) {
	sets, err := c.ListReplicaSets(ctx, d.Namespace, d.Spec.Selector)
	if err != nil {
		return nil, err
	}
	return release.OwnedBy(sets, d.UID), nil
}

// Pods returns the pods that a Deployment's selector matches, those of a canary included.
func (c *Cluster) Pods(ctx context.Context, d *engine.Deployment) ([]corev1.Pod, error) {
	return c.ListPods(ctx, d.Namespace, d.Spec.Selector)
}

// RollbackTarget chooses the template that a rollback of a workload returns to.
func (c *Cluster) RollbackTarget(ctx context.Context, workload string, goal release.Goal) (release.Target, error) {
	d, err := c.Deployment(ctx, workload)
	if err != nil {
		return release.Target{}, fmt.Errorf("reading Deployment %q: %w", workload, err)
	}
	sets, err := c.ReplicaSets(ctx, d)
	if err != nil {
		return release.Target{}, fmt.Errorf("listing the ReplicaSets of Deployment %q: %w", workload, err)
	}
	releases, err := c.Releases(ctx, workload)
	if err != nil {
		return release.Target{}, fmt.Errorf("listing the releases of Deployment %q: %w", workload, err)
	}
	target, err := release.RollbackTarget(d.Template, workload, releases, sets, goal)
	if err != nil || target.Release == "" {
		return target, err
	}
	// The template as it stands in storage, with fields that this program does not know.
	stored, err := c.GetRelease(ctx, d.Namespace, target.Release)
	if err != nil {
		return release.Target{}, fmt.Errorf("reading release %q: %w", target.Release, err)
	}
	target.Template = stored.To
	return target, nil
}
