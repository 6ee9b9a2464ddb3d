package check

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/manifest"
)

// maxTemplateDepth is how deep a pod template is looked for in an object.
const maxTemplateDepth = 12

// unjudged says why an object of a kind that no environment covers is judged by no rules although it visibly holds a pod
// template; empty where it holds none. A manifest must not pass because its kind is a foreign or an old one.
func unjudged(object *manifest.Object) string {
	kind := object.GroupKind()
	if kind.Group == v1alpha1.GroupName {
		// Releases hold the templates of their workload, which is judged itself.
		return ""
	}
	if kind == (schema.GroupKind{Kind: "PodTemplate"}) {
		return "a PodTemplate is judged by no rules: write its template into the workload that uses it"
	}
	var root map[string]any
	if json.Unmarshal(object.JSON, &root) != nil {
		return ""
	}
	path, found := podTemplate(root, "", maxTemplateDepth)
	if !found {
		return ""
	}
	if kind.Group == "extensions" {
		return fmt.Sprintf("%s is served no more, and judged by no rules: use apiVersion apps/v1", object.APIVersion)
	}
	return fmt.Sprintf("holds a pod template in %s, and no environment declares %s of %s: declare it in spec.workloadKinds",
		path, object.Kind, object.APIVersion)
}

// podTemplate finds an object with spec.containers below another one, and returns its path.
func podTemplate(parent map[string]any, path string, depth int) (string, bool) {
	if depth == 0 {
		return "", false
	}
	if path != "" && hasContainers(parent) {
		return path, true
	}
	for _, name := range slices.Sorted(maps.Keys(parent)) {
		below := name
		if path != "" {
			below = path + "." + name
		}
		switch value := parent[name].(type) {
		case map[string]any:
			if found, ok := podTemplate(value, below, depth-1); ok {
				return found, true
			}
		case []any:
			for i, item := range value {
				o, isObject := item.(map[string]any)
				if !isObject {
					continue
				}
				if found, ok := podTemplate(o, fmt.Sprintf("%s[%d]", below, i), depth-1); ok {
					return found, true
				}
			}
		}
	}
	return "", false
}

// hasContainers tells whether spec.containers is a list of objects with an image or a name.
func hasContainers(template map[string]any) bool {
	spec, _ := template["spec"].(map[string]any)
	list, _ := spec["containers"].([]any)
	for _, item := range list {
		container, _ := item.(map[string]any)
		if container["image"] != nil || container["name"] != nil {
			return true
		}
	}
	return false
}
