package release

import (
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// imageAt is one place of a pod's spec that names an image. List and Name find it again in another pod
// of the same template.
type imageAt struct {
	list, name string
	index      int
	image      string
}

func imagesOf(spec *corev1.PodSpec) []imageAt {
	var all []imageAt
	for i, c := range spec.InitContainers {
		all = append(all, imageAt{list: "initContainers", name: c.Name, index: i, image: c.Image})
	}
	for i, c := range spec.Containers {
		all = append(all, imageAt{list: "containers", name: c.Name, index: i, image: c.Image})
	}
	for i, v := range spec.Volumes {
		if v.Image != nil {
			all = append(all, imageAt{list: "volumes", name: v.Name, index: i, image: v.Image.Reference})
		}
	}
	return all
}

func (a imageAt) field() string {
	path := fmt.Sprintf("spec.template.spec.%s[%d].image", a.list, a.index)
	if a.list == "volumes" {
		path += ".reference"
	}
	return path
}

// Unpinned lists the images of a template that have no digest, each as its field and reference.
func Unpinned(template *corev1.PodTemplateSpec) []string {
	var open []string
	for _, a := range imagesOf(&template.Spec) {
		if !strings.Contains(a.image, "@") {
			open = append(open, fmt.Sprintf("%s: %q", a.field(), a.image))
		}
	}
	return open
}

// Pin writes the digests that a Pod made of a template was given behind the template's own references:
// REPOSITORY:TAG@DIGEST. An image that has no digest in the Pod stays as it is.
func Pin(t Template, pod *corev1.Pod) (Template, error) {
	digests := map[string]string{}
	for _, a := range imagesOf(&pod.Spec) {
		if _, digest, found := strings.Cut(a.image, "@"); found {
			digests[a.list+"/"+a.name] = digest
		}
	}
	var root map[string]any
	// This decoder keeps whole numbers whole.
	if err := utiljson.Unmarshal(t.Raw, &root); err != nil {
		return Template{}, fmt.Errorf("decoding pod template: %w", err)
	}
	spec, ok := root["spec"].(map[string]any)
	if !ok {
		return t, nil
	}
	for _, a := range imagesOf(&t.Typed.Spec) {
		digest := digests[a.list+"/"+a.name]
		members, ok := spec[a.list].([]any)
		if digest == "" || strings.Contains(a.image, "@") || !ok || a.index >= len(members) {
			continue
		}
		member, ok := members[a.index].(map[string]any)
		if !ok {
			continue
		}
		key := "image"
		if a.list == "volumes" {
			if member, ok = member["image"].(map[string]any); !ok {
				continue
			}
			key = "reference"
		}
		member[key] = a.image + "@" + digest
	}
	raw, err := json.Marshal(root)
	if err != nil {
		return Template{}, fmt.Errorf("encoding pod template: %w", err)
	}
	return ParseTemplate(raw)
}
