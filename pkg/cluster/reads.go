package cluster

import (
	"context"
	"fmt"
	"sort"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
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
