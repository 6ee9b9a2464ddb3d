package check

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"

	"github.com/runeframeos/kubectl-rune/pkg/cli/configuration"
	"github.com/runeframeos/kubectl-rune/pkg/cli/manifest"
	"github.com/runeframeos/kubectl-rune/pkg/cli/report"
)

// virtualName is the file that the loader takes an object for.
const virtualName = "object.json"

// configuration checks an Environment or ImagePolicy as the API server and the webhook would: by its schema, and whether its
// rules compile.
func (w *world) configuration(ctx context.Context, object *manifest.Object) []report.Invalid {
	set, err := w.loader.Load(ctx, configuration.OneFile{Name: virtualName, Content: object.JSON})
	if err != nil {
		return inFields(err)
	}
	var found []report.Invalid
	for i := range set.Environments {
		if _, err := w.compiler.Compile(&set.Environments[i]); err != nil {
			for _, problem := range inFields(err) {
				problem.Field = "spec.rules"
				found = append(found, problem)
			}
		}
	}
	return found
}

// own checks an Exemption, Release or Approval as the API server would, by its schema.
func (w *world) own(ctx context.Context, object *manifest.Object) []report.Invalid {
	var found []report.Invalid
	for _, err := range w.objects.Validate(ctx, object.Kind, object.JSON) {
		found = append(found, inFields(err)...)
	}
	return found
}

// inFields splits a joined error into one Invalid for each cause.
func inFields(err error) []report.Invalid {
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // only the outermost is taken apart
		var found []report.Invalid
		for _, err := range joined.Unwrap() {
			found = append(found, inFields(err)...)
		}
		return found
	}
	return []report.Invalid{ofConfiguration(err)}
}

// ofConfiguration says what is wrong with a field, without the file and the object, which stand beside it.
func ofConfiguration(err error) report.Invalid {
	var wrong *field.Error
	if errors.As(err, &wrong) {
		return report.Invalid{Field: strings.TrimPrefix(wrong.Field, "<nil>"), Message: wrong.ErrorBody()}
	}
	var unknown kjson.FieldError
	if errors.As(err, &unknown) {
		return report.Invalid{Field: unknown.FieldPath(), Message: "the kind has no such field: is it misspelt, or in the wrong place?"}
	}
	var decoding *json.UnmarshalTypeError
	if errors.As(err, &decoding) {
		return ofDecoding(err)
	}
	return report.Invalid{Message: strings.TrimPrefix(err.Error(), virtualName+": ")}
}
