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
		h, w = defaulted(h), defaulted(w)
		if h.Image != nil && w.Image != nil && imageMatches(h.Image.Reference, w.Image.Reference) {
			h.Image.Reference = w.Image.Reference
			if w.Image.PullPolicy == "" {
				h.Image.PullPolicy = ""
			}
		}
		if !equality.Semantic.DeepEqual(h, w) {
			return false
		}
	}
	return true
}

// defaulted returns a copy of a volume with the defaults that the API server fills in where the volume stands in a
// Pod or a built-in workload, but not where it stands in a kind that an environment declares
// (k8s.io/kubernetes/pkg/apis/core/v1/defaults.go).
func defaulted(volume corev1.Volume) corev1.Volume {
	v := *volume.DeepCopy()
	if v.VolumeSource == (corev1.VolumeSource{}) {
		v.EmptyDir = &corev1.EmptyDirVolumeSource{}
	}
	if v.Secret != nil {
		v.Secret.DefaultMode = orDefault(v.Secret.DefaultMode, corev1.SecretVolumeSourceDefaultMode)
	}
	if v.ConfigMap != nil {
		v.ConfigMap.DefaultMode = orDefault(v.ConfigMap.DefaultMode, corev1.ConfigMapVolumeSourceDefaultMode)
	}
	if v.HostPath != nil {
		v.HostPath.Type = orDefault(v.HostPath.Type, corev1.HostPathUnset)
	}
	if v.DownwardAPI != nil {
		v.DownwardAPI.DefaultMode = orDefault(v.DownwardAPI.DefaultMode, corev1.DownwardAPIVolumeSourceDefaultMode)
		defaultFields(v.DownwardAPI.Items)
	}
	if v.Projected != nil {
		v.Projected.DefaultMode = orDefault(v.Projected.DefaultMode, corev1.ProjectedVolumeSourceDefaultMode)
		for i := range v.Projected.Sources {
			if token := v.Projected.Sources[i].ServiceAccountToken; token != nil {
				token.ExpirationSeconds = orDefault(token.ExpirationSeconds, defaultTokenSeconds)
			}
			if downward := v.Projected.Sources[i].DownwardAPI; downward != nil {
				defaultFields(downward.Items)
			}
		}
	}
	return v
}

// defaultTokenSeconds is the API server's default life of a projected token.
const defaultTokenSeconds int64 = 3600

func orDefault[T any](value *T, fallback T) *T {
	if value == nil {
		return &fallback
	}
	return value
}

func defaultFields(items []corev1.DownwardAPIVolumeFile) {
	for i := range items {
		if ref := items[i].FieldRef; ref != nil && ref.APIVersion == "" {
			ref.APIVersion = "v1"
		}
	}
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
