package check

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

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
