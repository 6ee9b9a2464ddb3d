package drive

import (
	"context"
	"fmt"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
)

// Sizer gives workloads their size.
type Sizer interface {
	Environments(ctx context.Context) ([]v1alpha1.Environment, error)
	// Resize changes a Deployment's replicas, and tells what they were before and whether an
	// autoscaler owns them, so that they were left alone.
	Resize(ctx context.Context, namespace, name string, replicas int32) (was int32, autoscaled bool, err error)
	// Rescale sets the bounds of a Deployment's autoscaler, and returns its name where something changed.
	Rescale(ctx context.Context, namespace, name string, wanted v1alpha1.ScalingSettings) (changed string, err error)
}

// resize gives a promoted workload the size that its environment says. It happens after the release,
// which keeps the size that it found: whoever resumes a promotion sizes the workload too.
func (d *Driver) resize(ctx context.Context, r *v1alpha1.Release) error {
	if r.Spec.Action != v1alpha1.ActionPromote || r.Spec.Strategy == v1alpha1.StrategyCreate || r.Spec.Environment == "" {
		return nil
	}
	environments, err := d.Sizer.Environments(ctx)
	if err != nil {
		return fmt.Errorf("the release has succeeded, but its environment's size is unknown: %w", err)
	}
	environment, err := connect.EnvironmentNamed(environments, r.Spec.Environment)
	if err != nil || environment.Spec.Workload == nil {
		return nil
	}
	if err := d.rescale(ctx, r, environment); err != nil || environment.Spec.Workload.Replicas == nil {
		return err
	}
	wanted := *environment.Spec.Workload.Replicas
	was, autoscaled, err := d.Sizer.Resize(ctx, r.Namespace, r.Spec.Workload.Name, wanted)
	switch {
	case err != nil:
		return fmt.Errorf("the release has succeeded, but the deployment does not have the environment's %d replicas: %w", wanted, err)
	case autoscaled:
		fmt.Fprintf(d.ErrOut, "the size stays as it is: an autoscaler owns it, or you may not look for one (environment %s says %d replicas)\n", environment.Name, wanted)
	case was != wanted:
		fmt.Fprintf(d.ErrOut, "scaled from %d to %d replicas, as environment %s says\n", was, wanted, environment.Name)
	}
	return nil
}

// rescale gives a promoted workload's autoscaler the bounds that its environment says.
func (d *Driver) rescale(ctx context.Context, r *v1alpha1.Release, environment *v1alpha1.Environment) error {
	wanted := environment.Spec.Workload.Scaling
	if wanted == nil {
		return nil
	}
	name, err := d.Sizer.Rescale(ctx, r.Namespace, r.Spec.Workload.Name, *wanted)
	if err != nil {
		return fmt.Errorf("the release has succeeded, but the autoscaler does not have the environment's bounds (%d to %d): %w",
			wanted.MinReplicas, wanted.MaxReplicas, err)
	}
	if name != "" {
		fmt.Fprintf(d.ErrOut, "horizontalpodautoscaler/%s scales from %d to %d replicas now, as environment %s says\n",
			name, wanted.MinReplicas, wanted.MaxReplicas, environment.Name)
	}
	return nil
}
