package admission

import (
	"context"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/templatehash"
)

// hasReplicas tells whether a kind's availability is judged.
func hasReplicas(kind schema.GroupKind) bool {
	return kind == deploymentKind().GroupKind() || kind == appsKind("StatefulSet").GroupKind()
}

// surroundings reads live what says how available the workloads of a namespace are.
func (j *Judge) surroundings(ctx context.Context, namespace string) (*policy.Surroundings, error) {
	s := &policy.Surroundings{}
	budgets, err := j.Objects.List(ctx, policyv1.SchemeGroupVersion.WithKind("PodDisruptionBudget"), namespace)
	if err != nil {
		return nil, fmt.Errorf("listing the PodDisruptionBudgets of namespace %q: %w", namespace, err)
	}
	if s.PodDisruptionBudgets, err = typed[policyv1.PodDisruptionBudget](budgets); err != nil {
		return nil, err
	}
	autoscalers, err := j.Objects.List(ctx, autoscalingv2.SchemeGroupVersion.WithKind("HorizontalPodAutoscaler"), namespace)
	if err != nil {
		return nil, fmt.Errorf("listing the HorizontalPodAutoscalers of namespace %q: %w", namespace, err)
	}
	s.Autoscalers, err = typed[autoscalingv2.HorizontalPodAutoscaler](autoscalers)
	return s, err
}

// typed converts objects as they were read.
func typed[T any](objects []unstructured.Unstructured) ([]T, error) {
	items := make([]T, len(objects))
	for i := range objects {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(objects[i].Object, &items[i]); err != nil {
			return nil, fmt.Errorf("reading %s %q: %w", objects[i].GetKind(), objects[i].GetName(), err)
		}
	}
	return items, nil
}

// canaryOf returns the Release whose canary Deployment a subject is: it is named like it, its annotation points
// to it, the webhook sealed it for this environment, and it brings this very pod template. It is nil for all others.
func (j *Judge) canaryOf(ctx context.Context, environment, namespace string, subject *policy.Subject, object *metav1.ObjectMeta) (*releaseRecord, error) {
	name := object.Annotations[v1alpha1.AnnotationRelease]
	if name == "" || name != subject.Name || subject.Kind != deploymentKind().GroupKind() {
		return nil, nil
	}
	release, problem, err := j.findRelease(ctx, environment, namespace, name)
	if err != nil || problem != "" || release.Spec.Strategy != v1alpha1.StrategyCanary || release.Spec.Workload.Name == name {
		return nil, err
	}
	_, to, err := release.hashes()
	if err != nil {
		return nil, err
	}
	hash, err := templatehash.OfJSON(subject.Template)
	if err != nil || hash != to {
		return nil, err
	}
	return release, nil
}
