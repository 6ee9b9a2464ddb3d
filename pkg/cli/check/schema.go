package check

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	kjson "sigs.k8s.io/json"

	"github.com/runeframeos/kubectl-rune/pkg/cli/manifest"
	"github.com/runeframeos/kubectl-rune/pkg/cli/report"
)

// invalid returns the fields of a built-in kind that an API server would refuse or drop: unknown ones (with kubectl
// --validate=strict, its default) and those of a wrong type. Of kinds that it does not know it returns none.
func invalid(object *manifest.Object, validation Validation) []report.Invalid {
	if validation == ValidationIgnore {
		return nil
	}
	tolerated := validation == ValidationWarn
	kind := schema.FromAPIVersionAndKind(object.APIVersion, object.Kind)
	if !scheme.Scheme.Recognizes(kind) {
		return nil
	}
	typed, err := scheme.Scheme.New(kind)
	if err != nil {
		return nil
	}
	strict, err := kjson.UnmarshalStrict(object.JSON, typed, kjson.DisallowUnknownFields)
	if err != nil {
		if found := malformed(object); len(found) > 0 {
			return found
		}
		return []report.Invalid{ofDecoding(err)}
	}
	var found []report.Invalid
	for _, err := range strict {
		var field kjson.FieldError
		if !errors.As(err, &field) {
			found = append(found, report.Invalid{Message: err.Error(), Tolerated: tolerated})
			continue
		}
		path := field.FieldPath()
		name := path[strings.LastIndex(path, ".")+1:]
		found = append(found, report.Invalid{Field: path, Tolerated: tolerated, Message: fmt.Sprintf("%s has no field %q: is it misspelt, or in the wrong place?", object.Kind, name)})
	}
	return found
}

func ofDecoding(err error) report.Invalid {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return report.Invalid{Message: err.Error()}
	}
	return report.Invalid{Field: wrong.Field, Message: fmt.Sprintf("cannot be of type %s, Kubernetes wants %s", wrong.Value, wrong.Type.Kind())}
}

// malformed returns the limits and requests that are no quantities: the decoder's error of one names no field.
func malformed(object *manifest.Object) []report.Invalid {
	var root map[string]any
	if json.Unmarshal(object.JSON, &root) != nil {
		return nil
	}
	var found []report.Invalid
	eachAmount("", root, func(field, text string) {
		if _, err := resource.ParseQuantity(text); err != nil {
			found = append(found, report.Invalid{Field: field, Message: fmt.Sprintf("%q is no quantity: write a number with a suffix, such as 100m or 2Gi", text)})
		}
	})
	return found
}

// eachAmount calls do with every text in the resources of containers, pods and claims.
func eachAmount(path string, value any, do func(field, text string)) {
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			field := strings.TrimPrefix(path+"."+name, ".")
			text, isText := value[name].(string)
			if isText && (strings.HasSuffix(path, ".resources.limits") || strings.HasSuffix(path, ".resources.requests")) {
				do(field, text)
			}
			eachAmount(field, value[name], do)
		}
	case []any:
		for i, item := range value {
			eachAmount(fmt.Sprintf("%s[%d]", path, i), item, do)
		}
	}
}
