package audit

import (
	"encoding/json"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// ended tells whether an object runs nothing any more: a Pod or a Job that has finished. The error tells that the
// status cannot be read.
func (i *item) ended(kind schema.GroupKind) (bool, error) {
	if len(i.Status) == 0 {
		return false, nil
	}
	switch kind {
	case schema.GroupKind{Kind: "Pod"}:
		var status struct {
			Phase corev1.PodPhase `json:"phase"`
		}
		err := json.Unmarshal(i.Status, &status)
		return status.Phase == corev1.PodSucceeded || status.Phase == corev1.PodFailed, err
	case schema.GroupKind{Group: "batch", Kind: "Job"}:
		var status struct {
			Conditions []batchv1.JobCondition `json:"conditions"`
		}
		err := json.Unmarshal(i.Status, &status)
		for _, condition := range status.Conditions {
			if (condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed) && condition.Status == corev1.ConditionTrue {
				return true, err
			}
		}
		return false, err
	}
	return false, nil
}

// mirrors returns the node that made a mirror pod from a file of its own, empty for all other pods: the API server only
// shows such a pod, and no admission can keep it out. The annotation alone is what anybody can write; a node's own
// pod is owned by that node.
func (i *item) mirrors(pod *policy.Subject) string {
	if _, mirror := i.Metadata.Annotations[corev1.MirrorPodAnnotationKey]; !mirror || pod.Spec.NodeName == "" {
		return ""
	}
	for _, owner := range i.Metadata.OwnerReferences {
		if owner.APIVersion == "v1" && owner.Kind == "Node" && owner.Name == pod.Spec.NodeName {
			return owner.Name
		}
	}
	return ""
}
