package admission

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/templatehash"
)

// uncovered says why a Release, however many people approved it, does not stand for what a candidate
// does; empty if it does. A Release covers one step, from spec.from to spec.to: else an approval could be
// used again, as long as it counts, to bring back what was replaced since.
func (j *Judge) uncovered(ctx context.Context, c *candidate, object *metav1.ObjectMeta, release *releaseRecord, hash string) (string, error) {
	from, to, err := release.hashes()
	if err != nil {
		return "", err
	}
	workload := release.Spec.Workload
	isWorkload := isWorkloadOf(release, c.subject.Kind, c.subject.Name, object.UID)
	isCanary := c.subject.Kind == deploymentKind().GroupKind() && c.subject.Name == release.Name
	switch {
	case !isWorkload && !isCanary:
		return fmt.Sprintf("Release %q is for %s %q (UID %q), not for %s", release.Name, workload.Kind, workload.Name, workload.UID, c.subject), nil
	case hash != to:
		return fmt.Sprintf("the pod template is not the one of Release %q (spec.to): what was approved must be what runs", release.Name), nil
	case !isWorkload:
		return j.uncoveredCanary(ctx, c, release, from, to)
	case c.old == nil && release.Spec.Strategy != v1alpha1.StrategyCreate:
		return fmt.Sprintf("Release %q is for a %s that exists (strategy %q), and does not create one", release.Name, workload.Kind, release.Spec.Strategy), nil
	case c.old == nil:
		return "", nil
	case release.Spec.Strategy == v1alpha1.StrategyCreate:
		return fmt.Sprintf("Release %q creates its workload (strategy %q), and changes none that exists", release.Name, release.Spec.Strategy), nil
	}
	former, err := templatehash.OfJSON(c.old.Template)
	if err != nil {
		return "", fmt.Errorf("reading the former state: %w", err)
	}
	return otherStart(release, former, from, to), nil
}

// uncoveredCanary judges the canary Deployment, which is named like its Release. It comes once, while the
// workload that it belongs to stands where the Release found it, or has just arrived.
func (j *Judge) uncoveredCanary(ctx context.Context, c *candidate, release *releaseRecord, from, to string) (string, error) {
	workload := release.Spec.Workload
	switch {
	case release.Spec.Strategy != v1alpha1.StrategyCanary:
		return fmt.Sprintf("Release %q has strategy %q, which makes no canary Deployment", release.Name, release.Spec.Strategy), nil
	case c.old != nil:
		return fmt.Sprintf("the canary Deployment of Release %q had another pod template than spec.to: delete it and run `kubectl rune resume deployment/%s -n %s`",
			release.Name, workload.Name, release.Namespace), nil
	}
	live, err := j.Objects.Get(ctx, deploymentKind(), release.Namespace, workload.Name)
	switch {
	case apierrors.IsNotFound(err):
		return fmt.Sprintf("Deployment %q of Release %q does not exist", workload.Name, release.Name), nil
	case err != nil:
		return "", fmt.Errorf("reading Deployment %q: %w", workload.Name, err)
	case live.GetUID() != workload.UID:
		return fmt.Sprintf("Deployment %q has UID %q, not %q as in Release %q: it was replaced since", workload.Name, live.GetUID(), workload.UID, release.Name), nil
	}
	template, err := liveTemplate(builtIn{}, live, deploymentKind())
	if err != nil {
		return "", err
	}
	now, err := templatehash.OfJSON(template)
	if err != nil {
		return "", fmt.Errorf("reading Deployment %q: %w", workload.Name, err)
	}
	return otherStart(release, now, from, to), nil
}

// otherStart tells that a workload went on to a third template since the Release was requested.
func otherStart(release *releaseRecord, now, from, to string) string {
	if now == from || now == to {
		return ""
	}
	return fmt.Sprintf("Release %q was requested and approved for another pod template of %s %q than it has now (spec.from): request the release again",
		release.Name, release.Spec.Workload.Kind, release.Spec.Workload.Name)
}

// isWorkloadOf tells whether an object is the one that a Release is for. The UID counts where both
// have one: a Release that creates its workload knows none, and a new object may not have one yet.
func isWorkloadOf(release *releaseRecord, kind schema.GroupKind, name string, uid types.UID) bool {
	workload := release.Spec.Workload
	return kind == deploymentKind().GroupKind() && workload.Kind == kind.Kind && workload.Name == name &&
		(workload.UID == "" || uid == "" || workload.UID == uid)
}
