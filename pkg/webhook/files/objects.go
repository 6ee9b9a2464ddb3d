package files

import (
	"context"
	"fmt"

	kjson "sigs.k8s.io/json"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/rawjson"
)

// Objects checks Rune's objects that are no configuration, Exemptions, Releases and Approvals, by their schemas. It is
// safe for concurrent use.
type Objects struct {
	schemas map[string]*schema
}

// objectKinds are the kinds that Objects checks.
func objectKinds() []string {
	return []string{v1alpha1.KindExemption, v1alpha1.KindRelease, v1alpha1.KindApproval}
}

// NewObjects compiles the schemas.
func NewObjects() (*Objects, error) {
	all, err := schemas(objectKinds()...)
	if err != nil {
		return nil, err
	}
	return &Objects{schemas: all}, nil
}

// Validate returns what an API server would refuse of an object in JSON, or drop: unknown fields. Each error has its
// own field, where it is about one.
func (o *Objects) Validate(ctx context.Context, kind string, data []byte) []error {
	var target any
	switch kind {
	case v1alpha1.KindExemption:
		target = &v1alpha1.Exemption{}
	case v1alpha1.KindRelease:
		target = &v1alpha1.Release{}
	case v1alpha1.KindApproval:
		target = &v1alpha1.Approval{}
	default:
		return []error{fmt.Errorf("checking %s: this kind has no schema here", kind)}
	}
	if err := rawjson.CheckExponents(data); err != nil {
		return []error{err}
	}
	strict, err := kjson.UnmarshalStrict(data, target, kjson.DisallowUnknownFields, kjson.DisallowDuplicateFields)
	if err != nil {
		return []error{err}
	}
	object := map[string]any{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(data, &object); err != nil {
		return []error{err}
	}
	if problems := o.schemas[kind].complete(ctx, object); len(problems) > 0 {
		strict = append(strict, problems.ToAggregate().Errors()...)
	}
	return strict
}
