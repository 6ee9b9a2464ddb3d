package drive

import (
	"context"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/subject"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
	"github.com/runeframeos/kubectl-rune/pkg/view"
)

// Preview prints what a request would ask for. It reads the workload and asks nobody to judge.
func (d *Driver) Preview(ctx context.Context, request engine.Request) error {
	r := &v1alpha1.Release{
		// The number is given when the release is recorded.
		ObjectMeta: metav1.ObjectMeta{Namespace: request.Namespace, Name: request.Workload + "-?"},
		Spec: v1alpha1.ReleaseSpec{
			Action: request.Action, Strategy: request.Strategy, Environment: request.Environment,
			Workload: v1alpha1.WorkloadReference{Kind: "Deployment", Name: request.Workload},
			Delivery: request.Delivery, Reason: request.Reason,
		},
	}
	to, err := d.templates(ctx, request, r)
	if err != nil {
		return err
	}
	r.Spec.To = *to
	return d.dryRun(r, " (dry run)")
}

// templates fills in the template that runs and returns the wanted one.
func (d *Driver) templates(ctx context.Context, request engine.Request, r *v1alpha1.Release) (*corev1.PodTemplateSpec, error) {
	if request.Strategy == v1alpha1.StrategyCreate {
		workload := &appsv1.Deployment{}
		if err := json.Unmarshal(request.Manifest, workload); err != nil {
			return nil, fmt.Errorf("decoding the manifest: %w", err)
		}
		return &workload.Spec.Template, nil
	}
	live, err := d.Journal.Deployment(ctx, request.Namespace, request.Workload)
	if err != nil {
		return nil, err
	}
	r.Spec.From = &live.Spec.Template
	if request.Template != nil {
		return &request.Template.Typed, nil
	}
	to := live.Spec.Template.DeepCopy()
	return to, request.Edit(to)
}

func (d *Driver) dryRun(r *v1alpha1.Release, suffix string) error {
	for _, line := range view.Request(r) {
		fmt.Fprintln(d.ErrOut, line)
	}
	_, err := fmt.Fprintf(d.Out, "%s %s%s\n", subject.Qualified(subject.Deployment, r.Spec.Workload.Name), wordsFor(r.Spec.Action).succeeded, suffix)
	return err
}
