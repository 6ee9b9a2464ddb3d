package admission

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// podMatches tells whether a Pod was made from a template: every container and volume of the template
// is there with the same program. Other webhooks may have added containers, volumes, variables and
// mounts; the images of those are judged like all others. Volumes that are claimed by the owner are
// its own and not compared.
func podMatches(pod *policy.Subject, raw json.RawMessage, claimed map[string]bool) (bool, error) {
	var template corev1.PodTemplateSpec
	if err := utiljson.Unmarshal(raw, &template); err != nil {
		return false, fmt.Errorf("reading the owner's pod template: %w", err)
	}
	return containersMatch(pod.Spec.Containers, template.Spec.Containers) &&
		containersMatch(pod.Spec.InitContainers, template.Spec.InitContainers) &&
		volumesMatch(pod.Spec.Volumes, template.Spec.Volumes, claimed), nil
}

func containersMatch(have, want []corev1.Container) bool {
	byName := map[string]corev1.Container{}
	for _, c := range have {
		byName[c.Name] = c
	}
	for _, w := range want {
		h, found := byName[w.Name]
		if !found || !imageMatches(h.Image, w.Image) ||
			!equality.Semantic.DeepEqual(h.Command, w.Command) || !equality.Semantic.DeepEqual(h.Args, w.Args) {
			return false
		}
	}
	return true
}

func volumesMatch(have, want []corev1.Volume, claimed map[string]bool) bool {
	byName := map[string]corev1.Volume{}
	for _, v := range have {
		byName[v.Name] = v
	}
	for _, w := range want {
		if claimed[w.Name] {
			continue
		}
		h, found := byName[w.Name]
		if !found {
			return false
		}
		if h.Image != nil && w.Image != nil && imageMatches(h.Image.Reference, w.Image.Reference) {
			h = *h.DeepCopy()
			h.Image.Reference = w.Image.Reference
		}
		if !equality.Semantic.DeepEqual(h, w) {
			return false
		}
	}
	return true
}

// imageMatches tells whether a Pod's image is the template's, or the template's with the digest that
// its tag had when the Pod was made.
func imageMatches(pod, template string) bool {
	if pod == template {
		return true
	}
	have, err := image.Parse(pod)
	if err != nil {
		return false
	}
	want, err := image.Parse(template)
	if err != nil || have.Name() != want.Name() {
		return false
	}
	if want.Digest != "" {
		return have.Digest == want.Digest
	}
	return have.Tag == want.Tag
}

// claimedVolumes names the volumes that a StatefulSet puts into its Pods in place of the template's.
func claimedVolumes(owner *unstructured.Unstructured) (map[string]bool, error) {
	claims, _, err := unstructured.NestedSlice(owner.Object, "spec", "volumeClaimTemplates")
	if err != nil {
		return nil, fmt.Errorf("reading the volume claims of %s %q: %w", owner.GetKind(), owner.GetName(), err)
	}
	names := map[string]bool{}
	for _, claim := range claims {
		fields, _ := claim.(map[string]any)
		name, _, _ := unstructured.NestedString(fields, "metadata", "name")
		names[name] = true
	}
	return names, nil
}
