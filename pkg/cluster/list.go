package cluster

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// list decodes objects one by one: one that no types can read, such as a duration that is none, must
// not hide the others. It is left out with a warning, and told to unread, which may be nil.
func list[T any](c *Cluster, items *unstructured.UnstructuredList, unread func(u *unstructured.Unstructured, cause error)) []T {
	result := make([]T, 0, len(items.Items))
	for i := range items.Items {
		u := &items.Items[i]
		object, err := typed[T](u)
		if err == nil {
			result = append(result, *object)
			continue
		}
		c.unread(leftOut(u, errors.Unwrap(err)))
		if unread != nil {
			unread(u, err)
		}
	}
	return result
}

func leftOut(u *unstructured.Unstructured, cause error) string {
	kind := strings.ToLower(u.GetKind())
	if u.GetNamespace() == "" {
		return fmt.Sprintf("%s %q cannot be read and is left out: %v", kind, u.GetName(), cause)
	}
	return fmt.Sprintf("%s %q in namespace %q cannot be read and is left out: %v", kind, u.GetName(), u.GetNamespace(), cause)
}

// mayBeOf tells whether a Release that cannot be read is one of a workload's, as far as it can be told.
func mayBeOf(u *unstructured.Unstructured, workload string) bool {
	if name, found, err := unstructured.NestedString(u.Object, "spec", "workload", "name"); err == nil && found {
		return name == workload
	}
	if name := u.GetLabels()[v1alpha1.LabelWorkload]; name != "" {
		return name == workload
	}
	_, numbered := release.Number(workload, u.GetName())
	return numbered
}

// hasEnded tells whether the phase of a Release can be read and is an end.
func hasEnded(u *unstructured.Unstructured) bool {
	phase, _, err := unstructured.NestedString(u.Object, "status", "phase")
	r := v1alpha1.Release{Status: v1alpha1.ReleaseStatus{Phase: v1alpha1.Phase(phase)}}
	return err == nil && r.Ended()
}
