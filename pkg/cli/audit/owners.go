package audit

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/runeframeos/kubectl-rune/pkg/cli/report"
)

// maxDepth bounds a chain of owners; Kubernetes' own are two long.
const maxDepth = 8

// owners are the workloads of one namespace by UID.
type owners map[types.UID]*workload

// workload is an object that may own pods.
type workload struct {
	object report.Object
	kind   kind
	// owner is the UID of its controller; empty where it has none.
	owner types.UID
	// result of judging its template; nil where it is represented by its owner.
	result *judged
}

// makes tells whether the controller of one kind makes objects of another on behalf of its own: else a reference
// to an owner, which anybody may write, would keep an object from being judged.
func makes(owner, child kind) bool {
	switch child.GroupKind() {
	case schema.GroupKind{Group: "apps", Kind: "ReplicaSet"}:
		return owner.GroupKind() == schema.GroupKind{Group: "apps", Kind: "Deployment"} || owner.declared
	case schema.GroupKind{Group: "batch", Kind: "Job"}:
		return owner.GroupKind() == schema.GroupKind{Group: "batch", Kind: "CronJob"} || owner.declared
	case schema.GroupKind{Kind: "ReplicationController"}:
		return owner.declared
	}
	return false
}

// root returns the workload at the top of a chain of controllers, nil where the first one is unknown.
func (o owners) root(uid types.UID) *workload {
	var found *workload
	for range maxDepth {
		next, ok := o[uid]
		if !ok {
			return found
		}
		found, uid = next, next.owner
	}
	return found
}

// rootOf returns the workload that an object belongs to. A controller that was not listed, because its kind is
// not declared, stands for itself by what the reference says of it.
func (o owners) rootOf(controller *metav1.OwnerReference, namespace string) *workload {
	if controller == nil {
		return nil
	}
	if root := o.root(controller.UID); root != nil {
		return root
	}
	unknown := &workload{object: report.Object{
		APIVersion: controller.APIVersion, Kind: controller.Kind, Namespace: namespace, Name: controller.Name,
	}}
	o[controller.UID] = unknown
	return unknown
}
