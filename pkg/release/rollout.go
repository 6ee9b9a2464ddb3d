package release

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Replicas returns the wanted size of a Deployment; absent means one.
func Replicas(d *appsv1.Deployment) int32 {
	if d.Spec.Replicas == nil {
		return 1
	}
	return *d.Spec.Replicas
}

// Observed tells whether the Deployment controller has seen the newest spec.
func Observed(d *appsv1.Deployment) bool {
	return d.Status.ObservedGeneration >= d.Generation
}

// Complete tells whether a Deployment runs its template only, with all pods available, and otherwise
// why not.
func Complete(d *appsv1.Deployment) (bool, string) {
	n, s := Replicas(d), d.Status
	switch {
	case !Observed(d):
		return false, "the Deployment controller has not seen the newest spec yet"
	case s.UpdatedReplicas < n:
		return false, fmt.Sprintf("%d of %d pods have the new template", s.UpdatedReplicas, n)
	case s.Replicas > s.UpdatedReplicas:
		return false, fmt.Sprintf("%d old pods are still there", s.Replicas-s.UpdatedReplicas)
	case s.Replicas > n:
		return false, fmt.Sprintf("%d pods too many are still there", s.Replicas-n)
	case s.AvailableReplicas < n:
		return false, fmt.Sprintf("%d of %d pods are available", s.AvailableReplicas, n)
	default:
		return true, ""
	}
}

// Sized tells whether exactly the wanted pods of a Deployment exist and are available, whatever their
// template, and otherwise why not. It is Complete for a paused Deployment.
func Sized(d *appsv1.Deployment) (bool, string) {
	n, s := Replicas(d), d.Status
	switch {
	case !Observed(d):
		return false, "the Deployment controller has not seen the newest spec yet"
	case s.Replicas > n:
		return false, fmt.Sprintf("%d pods too many are still there", s.Replicas-n)
	case s.AvailableReplicas < n:
		return false, fmt.Sprintf("%d of %d pods are available", s.AvailableReplicas, n)
	default:
		return true, ""
	}
}

// Condition returns a condition of a Deployment, or nil.
func Condition(d *appsv1.Deployment, kind appsv1.DeploymentConditionType) *appsv1.DeploymentCondition {
	for i := range d.Status.Conditions {
		if d.Status.Conditions[i].Type == kind {
			return &d.Status.Conditions[i]
		}
	}
	return nil
}

// OwnedBy returns the ReplicaSets whose controller has a UID.
func OwnedBy(sets []appsv1.ReplicaSet, owner types.UID) []appsv1.ReplicaSet {
	var owned []appsv1.ReplicaSet
	for i := range sets {
		if c := metav1.GetControllerOf(&sets[i]); c != nil && c.UID == owner {
			owned = append(owned, sets[i])
		}
	}
	return owned
}

// WithTemplate returns the oldest of the ReplicaSets with a template, as the Deployment controller
// chooses, or nil.
func WithTemplate(sets []appsv1.ReplicaSet, template *corev1.PodTemplateSpec) *appsv1.ReplicaSet {
	var found *appsv1.ReplicaSet
	for i := range sets {
		if !SameTemplate(&sets[i].Spec.Template, template) {
			continue
		}
		if found == nil || older(&sets[i], found) {
			found = &sets[i]
		}
	}
	return found
}

func older(a, b *appsv1.ReplicaSet) bool {
	if a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.Name < b.Name
	}
	return a.CreationTimestamp.Before(&b.CreationTimestamp)
}

// PodHash returns the pod-template-hash of a ReplicaSet's pods.
func PodHash(set *appsv1.ReplicaSet) string {
	return set.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
}
