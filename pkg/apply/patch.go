package apply

import (
	"encoding/json"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// FieldManager is the one name under which Rune writes.
const FieldManager = v1alpha1.FieldManager

// operation is one operation of a JSON patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// Change is what a patch does to a Deployment; nil fields stay as they are.
type Change struct {
	// Template is the new pod template as JSON.
	Template json.RawMessage
	Replicas *int32
	Paused   *bool
	// Release is the annotation that names the Release; empty removes it.
	Release *string
	// ManagedFields replaces the owners of the fields.
	ManagedFields []metav1.ManagedFieldsEntry
	// Disown removes the owner reference with this UID.
	Disown types.UID
}

// Deployment returns the JSON patch that makes a change to a Deployment as it was read. It applies only
// while the stored object has the same UID and resourceVersion.
func Deployment(live *appsv1.Deployment, c Change) ([]byte, error) {
	ops := []operation{
		{Op: "test", Path: "/metadata/uid", Value: string(live.UID)},
		{Op: "test", Path: "/metadata/resourceVersion", Value: live.ResourceVersion},
	}
	if c.Template != nil {
		ops = append(ops, operation{Op: "replace", Path: "/spec/template", Value: c.Template})
	}
	if c.Replicas != nil {
		ops = append(ops, operation{Op: "add", Path: "/spec/replicas", Value: *c.Replicas})
	}
	if c.Paused != nil && *c.Paused != live.Spec.Paused {
		// Absent is how a Deployment that is not paused is stored.
		op := operation{Op: "remove", Path: "/spec/paused"}
		if *c.Paused {
			op = operation{Op: "add", Path: "/spec/paused", Value: true}
		}
		ops = append(ops, op)
	}
	if c.Release != nil {
		ops = append(ops, annotation(live.Annotations, v1alpha1.AnnotationRelease, *c.Release)...)
	}
	if c.Disown != "" {
		ops = append(ops, disown(live.OwnerReferences, c.Disown)...)
	}
	if c.ManagedFields != nil {
		ops = append(ops, operation{Op: "replace", Path: "/metadata/managedFields", Value: c.ManagedFields})
	}
	patch, err := json.Marshal(ops)
	if err != nil {
		return nil, fmt.Errorf("encoding the patch of Deployment %q: %w", live.Name, err)
	}
	return patch, nil
}

func annotation(annotations map[string]string, key, value string) []operation {
	path := "/metadata/annotations/" + escape(key)
	_, present := annotations[key]
	switch {
	case value == "" && !present:
		return nil
	case value == "" && len(annotations) == 1:
		return []operation{{Op: "remove", Path: "/metadata/annotations"}}
	case value == "":
		return []operation{{Op: "remove", Path: path}}
	case len(annotations) == 0:
		return []operation{{Op: "add", Path: "/metadata/annotations", Value: map[string]string{key: value}}}
	default:
		return []operation{{Op: "add", Path: path, Value: value}}
	}
}

func disown(refs []metav1.OwnerReference, uid types.UID) []operation {
	var ops []operation
	// From the last to the first, so that indexes stay true while references are removed.
	for i := len(refs) - 1; i >= 0; i-- {
		if refs[i].UID == uid {
			ops = append(ops, operation{Op: "remove", Path: fmt.Sprintf("/metadata/ownerReferences/%d", i)})
		}
	}
	return ops
}

// escape writes a key as a token of a JSON pointer (RFC 6901).
func escape(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}

// Edit returns a strategic merge patch that adds to an edit of the spec the annotation that names the
// Release and the precondition on the resourceVersion.
func Edit(live *appsv1.Deployment, edit json.RawMessage, releaseName string) ([]byte, error) {
	var patch map[string]any
	if err := json.Unmarshal(edit, &patch); err != nil {
		return nil, fmt.Errorf("decoding the edit of Deployment %q: %w", live.Name, err)
	}
	patch["metadata"] = map[string]any{
		"uid":             string(live.UID),
		"resourceVersion": live.ResourceVersion,
		"annotations":     map[string]string{v1alpha1.AnnotationRelease: releaseName},
	}
	body, err := json.Marshal(patch)
	if err != nil {
		return nil, fmt.Errorf("encoding the edit of Deployment %q: %w", live.Name, err)
	}
	return body, nil
}
