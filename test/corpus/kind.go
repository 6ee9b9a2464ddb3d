package corpus

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// Label by which the objects of the corpus select their pods.
const Label = "corpus"

// Kind is one kind that holds pods.
type Kind struct {
	schema.GroupVersionKind
	// Resource is the plural name in URLs.
	Resource string
	// Short ends the names of the kind's objects.
	Short string
	// template are the field names from the object's root to its pod template; none for a Pod.
	template []string
	// finite tells whether its pods end; they cannot have the restart policy Always then.
	finite bool
}

// GVR is what a client asks for.
func (k Kind) GVR() schema.GroupVersionResource { return k.GroupVersion().WithResource(k.Resource) }

// Kinds of the corpus: all built-in ones with pods and one of a CustomResourceDefinition that the Environments declare.
func Kinds() []Kind {
	template := []string{"spec", "template"}
	kind := func(group, version, name, short string, template []string) Kind {
		gvk := schema.GroupVersionKind{Group: group, Version: version, Kind: name}
		return Kind{GroupVersionKind: gvk, Resource: strings.ToLower(name) + "s", Short: short, template: template}
	}
	job := kind("batch", "v1", "Job", "job", template)
	cronJob := kind("batch", "v1", "CronJob", "cj", []string{"spec", "jobTemplate", "spec", "template"})
	job.finite, cronJob.finite = true, true
	declared := declaredKind()
	return []Kind{
		kind("", "v1", "Pod", "pod", nil),
		kind("", "v1", "ReplicationController", "rc", template),
		kind("apps", "v1", "Deployment", "deploy", template),
		kind("apps", "v1", "ReplicaSet", "rs", template),
		kind("apps", "v1", "StatefulSet", "sts", template),
		kind("apps", "v1", "DaemonSet", "ds", template),
		job,
		cronJob,
		kind(declared.Group, "v1", declared.Kind, "fleet", template),
	}
}

// declaredKind is the kind of a CustomResourceDefinition that the corpus's Environments declare.
func declaredKind() v1alpha1.WorkloadKind {
	return v1alpha1.WorkloadKind{Group: "corpus.example.com", Kind: "Fleet", Resource: "fleets", TemplatePath: "spec.template"}
}

// Definition is the CustomResourceDefinition of the declared kind.
func Definition() *unstructured.Unstructured {
	declared := declaredKind()
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": declared.Resource + "." + declared.Group},
		"spec": map[string]any{
			"group": declared.Group, "scope": "Namespaced",
			"names": map[string]any{"kind": declared.Kind, "plural": declared.Resource, "singular": strings.ToLower(declared.Kind)},
			"versions": []any{map[string]any{
				"name": "v1", "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{
					"type": "object", "x-kubernetes-preserve-unknown-fields": true,
				}},
			}},
		},
	}}
}

// patchTemplate applies a strategic merge patch to a pod template.
func patchTemplate(base, patch json.RawMessage) (map[string]any, error) {
	if len(patch) > 0 {
		patched, err := strategicpatch.StrategicMergePatch(base, patch, corev1.PodTemplateSpec{})
		if err != nil {
			return nil, fmt.Errorf("patching the base: %w", err)
		}
		base = patched
	}
	var template map[string]any
	if err := json.Unmarshal(base, &template); err != nil {
		return nil, fmt.Errorf("reading the pod template: %w", err)
	}
	return template, nil
}

// object makes an object of the kind that starts no pods unless the case says so: no replicas, suspended, or for
// nodes that do not exist.
func (k Kind) object(name string, template map[string]any, patch json.RawMessage) (map[string]any, error) {
	template = runtime.DeepCopyJSON(template)
	if err := k.prepare(name, template); err != nil {
		return nil, err
	}
	object := map[string]any{"spec": map[string]any{}}
	if len(k.template) == 0 {
		object = template
	} else {
		if err := unstructured.SetNestedMap(object, k.spec(name), "spec"); err != nil {
			return nil, err
		}
		if err := unstructured.SetNestedMap(object, template, k.template...); err != nil {
			return nil, err
		}
	}
	object["apiVersion"], object["kind"] = k.GroupVersion().String(), k.Kind
	if err := unstructured.SetNestedField(object, name, "metadata", "name"); err != nil {
		return nil, err
	}
	return merged(object, patch)
}

// prepare gives a template the label that selects it and what its kind demands.
func (k Kind) prepare(name string, template map[string]any) error {
	if err := unstructured.SetNestedField(template, name, "metadata", "labels", Label); err != nil {
		return err
	}
	if err := unstructured.SetNestedField(template, "nowhere", "spec", "nodeSelector", Label); err != nil {
		return err
	}
	if !k.finite {
		return nil
	}
	return unstructured.SetNestedField(template, "Never", "spec", "restartPolicy")
}

// spec is the part of an object around its template.
func (k Kind) spec(name string) map[string]any {
	labels := map[string]any{Label: name}
	switch k.Kind {
	case "ReplicationController":
		return map[string]any{"replicas": int64(0), "selector": labels}
	case "Job":
		return map[string]any{"suspend": true}
	case "CronJob":
		return map[string]any{"schedule": "0 0 1 1 *", "suspend": true, "jobTemplate": map[string]any{"spec": map[string]any{}}}
	case "DaemonSet":
		return map[string]any{"selector": map[string]any{"matchLabels": labels}}
	case "StatefulSet":
		return map[string]any{"replicas": int64(0), "selector": map[string]any{"matchLabels": labels}, "serviceName": name}
	default:
		return map[string]any{"replicas": int64(0), "selector": map[string]any{"matchLabels": labels}}
	}
}

func merged(object map[string]any, patch json.RawMessage) (map[string]any, error) {
	if len(patch) == 0 {
		return object, nil
	}
	raw, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	if raw, err = jsonpatch.MergePatch(raw, patch); err != nil {
		return nil, fmt.Errorf("patching the object: %w", err)
	}
	var patched map[string]any
	err = json.Unmarshal(raw, &patched)
	return patched, err
}

// beside completes an object that stands beside one of the kind.
func (k Kind) beside(name string, content map[string]any) map[string]any {
	content = runtime.DeepCopyJSON(content)
	set := func(value any, fields ...string) {
		if _, found, _ := unstructured.NestedFieldNoCopy(content, fields...); !found {
			// The fields above it are maps of ours.
			_ = unstructured.SetNestedField(content, value, fields...)
		}
	}
	set(name, "metadata", "name")
	switch content["kind"] {
	case "PodDisruptionBudget":
		set(map[string]any{Label: name}, "spec", "selector", "matchLabels")
	case "HorizontalPodAutoscaler":
		target := map[string]any{"apiVersion": k.GroupVersion().String(), "kind": k.Kind, "name": name}
		set(target, "spec", "scaleTargetRef")
	}
	return content
}

// expectation makes a field's path that of the kind.
func (k Kind) expectation(want Expectation) Expectation {
	if field, found := strings.CutPrefix(want.Field, "/"); found {
		want.Field = field
	} else {
		path := slices.DeleteFunc(append(slices.Clone(k.template), want.Field), func(part string) bool { return part == "" })
		want.Field = strings.Join(path, ".")
	}
	if want.Enforcement == "" {
		want.Enforcement = v1alpha1.EnforcementEnforce
	}
	return want
}
