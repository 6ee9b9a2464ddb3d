package admission

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/runeframeos/kubectl-rune/pkg/templatehash"
)

// ownRevision names the revision with a template's hash that a workload owns by its UID: a Deployment's
// ReplicaSets and the ControllerRevisions of StatefulSets and DaemonSets. It is empty where there is none.
func (j *Judge) ownRevision(ctx context.Context, namespace string, workload schema.GroupKind, uid types.UID, hash string) (string, error) {
	if uid == "" {
		return "", nil
	}
	kind, template := appsKind("ControllerRevision"), templateOfRevision
	switch workload {
	case deploymentKind().GroupKind():
		kind = appsKind("ReplicaSet")
		template = func(set *unstructured.Unstructured) (json.RawMessage, error) {
			return liveTemplate(builtIn{}, set, kind)
		}
	case appsKind("StatefulSet").GroupKind(), appsKind("DaemonSet").GroupKind():
	default:
		return "", nil
	}
	revisions, err := j.Objects.List(ctx, kind, namespace)
	if err != nil {
		return "", fmt.Errorf("listing the %ss of %s: %w", kind.Kind, workload.Kind, err)
	}
	for i := range revisions {
		if owner := metav1.GetControllerOf(&revisions[i]); owner == nil || owner.UID != uid {
			continue
		}
		raw, err := template(&revisions[i])
		if err != nil {
			return "", err
		}
		if raw == nil {
			continue
		}
		had, err := templatehash.OfJSON(raw)
		if err != nil {
			return "", fmt.Errorf("reading %s %q: %w", kind.Kind, revisions[i].GetName(), err)
		}
		if had == hash {
			return fmt.Sprintf("%s %q", kind.Kind, revisions[i].GetName()), nil
		}
	}
	return "", nil
}
