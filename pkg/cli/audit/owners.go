package audit

import (
	"encoding/json"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/runeframeos/kubectl-rune/pkg/cli/report"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/templatehash"
)

// workload is an object that may own others.
type workload struct {
	kind   schema.GroupKind
	object report.Object
	// hash of its template, where its controller makes workloads; empty where that could not be read.
	hash string
	// stands is the workload whose judgement counts for this one; nil where it is judged itself.
	stands *workload
	// result of judging its template; nil where another one stands for it.
	result *judged
}

// owners are the workloads of one namespace by UID, which nobody but the API server gives.
type owners map[types.UID]*workload

// of returns the listed workload that an owner reference names; nil where there is none with that UID. Anybody can
// write such a reference: it proves nothing about the object that carries it.
func (o owners) of(controller *metav1.OwnerReference) *workload {
	if controller == nil || controller.UID == "" {
		return nil
	}
	return o[controller.UID]
}

// makesWorkloads tells whether the controller of a kind makes workloads of others: those of declared kinds may.
func makesWorkloads(kind schema.GroupKind) bool {
	switch kind {
	case schema.GroupKind{Group: "apps", Kind: "Deployment"}, schema.GroupKind{Group: "batch", Kind: "CronJob"}:
		return true
	}
	return !policy.Covers(kind)
}

// makesWorkload tells whether the controller of an owner's kind makes workloads of the child's kind.
func makesWorkload(owner, child schema.GroupKind) bool {
	replicaSet, job := schema.GroupKind{Group: "apps", Kind: "ReplicaSet"}, schema.GroupKind{Group: "batch", Kind: "Job"}
	switch owner {
	case schema.GroupKind{Group: "apps", Kind: "Deployment"}:
		return child == replicaSet
	case schema.GroupKind{Group: "batch", Kind: "CronJob"}:
		return child == job
	}
	return !policy.Covers(owner) && (child == replicaSet || child == job)
}

// makesPods tells whether the controller of a kind makes Pods itself.
func makesPods(kind schema.GroupKind) bool {
	switch kind {
	case schema.GroupKind{Group: "apps", Kind: "Deployment"}, schema.GroupKind{Group: "batch", Kind: "CronJob"}, schema.GroupKind{Kind: "Pod"}:
		return false
	}
	return true
}

// root returns the judged workload that a Pod is told under; nil where its controller is none that makes Pods.
func (o owners) root(controller *metav1.OwnerReference) *workload {
	owner := o.of(controller)
	switch {
	case owner == nil || !makesPods(owner.kind):
		return nil
	case owner.stands != nil:
		return owner.stands
	}
	return owner
}

// standsFor returns the workload whose judgement counts for a child too: one whose controller makes such children,
// and whose template is the child's, so that the child can violate nothing that its owner does not. It is nil for all others.
func (o owners) standsFor(child *policy.Subject, controller *metav1.OwnerReference) (*workload, error) {
	owner := o.of(controller)
	if owner == nil || owner.hash == "" || !makesWorkload(owner.kind, child.Kind) {
		return nil, nil
	}
	hash, err := childHash(child)
	if err != nil || hash != owner.hash {
		return nil, err
	}
	return owner, nil
}

// childHash is the hash of a child's template without what the API server adds to it.
func childHash(child *policy.Subject) (string, error) {
	if child.Kind != (schema.GroupKind{Group: "batch", Kind: "Job"}) {
		return templatehash.OfJSON(child.Template)
	}
	var template map[string]any
	if err := json.Unmarshal(child.Template, &template); err != nil {
		return "", fmt.Errorf("reading the pod template of %s: %w", child, err)
	}
	// Every Job's template is labelled with the Job's name and UID
	// (k8s.io/kubernetes/pkg/registry/batch/job, generateSelector).
	for _, label := range []string{"controller-uid", "job-name", batchv1.ControllerUidLabel, batchv1.JobNameLabel} {
		unstructured.RemoveNestedField(template, "metadata", "labels", label)
	}
	if labels, found, err := unstructured.NestedMap(template, "metadata", "labels"); err == nil && found && len(labels) == 0 {
		unstructured.RemoveNestedField(template, "metadata", "labels")
	}
	if metadata, ok := template["metadata"].(map[string]any); ok && len(metadata) == 0 {
		delete(template, "metadata")
	}
	raw, err := json.Marshal(template)
	if err != nil {
		return "", fmt.Errorf("reading the pod template of %s: %w", child, err)
	}
	return templatehash.OfJSON(raw)
}
