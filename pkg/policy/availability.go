package policy

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// size is how many pods a workload has at least.
type size struct {
	replicas int32
	// autoscaler that owns the size; empty where spec.replicas counts.
	autoscaler string
}

// scales tells whether the availability of a subject is judged: Deployments and StatefulSets, but no canary,
// which starts small and has the stable side beside it.
func scales(in Input) bool {
	switch in.Subject.Kind {
	case schema.GroupKind{Group: "apps", Kind: "Deployment"}, schema.GroupKind{Group: "apps", Kind: "StatefulSet"}:
		return in.Facts.Canary == ""
	}
	return false
}

// sizeOf returns the least size of a workload: that of the HorizontalPodAutoscaler that targets it, of several
// the smallest, else spec.replicas.
func sizeOf(in Input) (size, error) {
	var owned *size
	if in.Facts.Surroundings != nil {
		for i := range in.Facts.Surroundings.Autoscalers {
			autoscaler := &in.Facts.Surroundings.Autoscalers[i]
			target := autoscaler.Spec.ScaleTargetRef
			if target.Kind != in.Subject.Kind.Kind || target.Name != in.Subject.Name || !sameNamespace(autoscaler.Namespace, in.Subject.Namespace) ||
				schema.FromAPIVersionAndKind(target.APIVersion, target.Kind).Group != in.Subject.Kind.Group {
				continue
			}
			least := int32(1)
			if autoscaler.Spec.MinReplicas != nil {
				least = *autoscaler.Spec.MinReplicas
			}
			if owned == nil || least < owned.replicas {
				owned = &size{replicas: least, autoscaler: autoscaler.Name}
			}
		}
	}
	if owned != nil {
		return *owned, nil
	}
	var object struct {
		Spec struct {
			Replicas *int32 `json:"replicas"`
		} `json:"spec"`
	}
	if err := utiljson.Unmarshal(in.Subject.Object, &object); err != nil {
		return size{}, fmt.Errorf("reading spec.replicas: %w", err)
	}
	if object.Spec.Replicas == nil {
		return size{replicas: 1}, nil
	}
	return size{replicas: *object.Spec.Replicas}, nil
}

// sameNamespace compares namespaces; in files either may be left to whoever applies them.
func sameNamespace(a, b string) bool { return a == b || a == "" || b == "" }
