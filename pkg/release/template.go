package release

import (
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"

	"github.com/runeframeos/kubectl-rune/pkg/templatehash"
)

// Template is a pod template as it stands in storage, beside its typed form. Raw may hold fields that
// this program's types do not know; whatever is written back is written from Raw.
type Template struct {
	Raw   json.RawMessage
	Typed corev1.PodTemplateSpec
	// Hash is the template's identity, from package templatehash.
	Hash string
}

// ParseTemplate reads a template from JSON.
func ParseTemplate(raw []byte) (Template, error) {
	t := Template{Raw: append(json.RawMessage(nil), raw...)}
	if err := json.Unmarshal(raw, &t.Typed); err != nil {
		return Template{}, fmt.Errorf("decoding pod template: %w", err)
	}
	hash, err := templatehash.OfJSON(raw)
	if err != nil {
		return Template{}, err
	}
	t.Hash = hash
	return t, nil
}

// TemplateOf makes a Template of a typed one.
func TemplateOf(typed *corev1.PodTemplateSpec) (Template, error) {
	raw, err := json.Marshal(typed)
	if err != nil {
		return Template{}, fmt.Errorf("encoding pod template: %w", err)
	}
	return ParseTemplate(raw)
}

// SameTemplate tells whether the Deployment controller would take two templates for one: they are
// equal but for the label pod-template-hash that it adds itself.
func SameTemplate(a, b *corev1.PodTemplateSpec) bool {
	x, y := a.DeepCopy(), b.DeepCopy()
	delete(x.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	delete(y.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	return apiequality.Semantic.DeepEqual(x, y)
}
