package files

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/runeframeos/kubectl-rune/manifests"
	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// schema does for one kind what an API server does with the kind's CustomResourceDefinition.
type schema struct {
	structural *structuralschema.Structural
	validator  validation.SchemaValidator
	rules      *cel.Validator
}

// schemas returns the schema of each of some kinds, from the CRDs of this build.
func schemas(kinds ...string) (map[string]*schema, error) {
	crds, err := manifests.CRDs()
	if err != nil {
		return nil, err
	}
	all := map[string]*schema{}
	for _, file := range crds {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(file.Content, crd); err != nil {
			return nil, fmt.Errorf("reading the embedded %s: %w", file.Name, err)
		}
		kind := crd.Spec.Names.Kind
		if !slices.Contains(kinds, kind) {
			continue
		}
		for i := range crd.Spec.Versions {
			if crd.Spec.Versions[i].Name != v1alpha1.Version {
				continue
			}
			if all[kind], err = newSchema(crd.Spec.Versions[i].Schema.OpenAPIV3Schema); err != nil {
				return nil, fmt.Errorf("reading the embedded %s: %w", file.Name, err)
			}
		}
	}
	return all, nil
}

func newSchema(v1 *apiextensionsv1.JSONSchemaProps) (*schema, error) {
	internal := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(v1, internal, nil); err != nil {
		return nil, fmt.Errorf("converting the schema: %w", err)
	}
	structural, err := structuralschema.NewStructural(internal)
	if err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	validator, _, err := validation.NewSchemaValidator(internal)
	if err != nil {
		return nil, fmt.Errorf("compiling the schema: %w", err)
	}
	return &schema{
		structural: structural,
		validator:  validator,
		rules:      cel.NewValidator(structural, true, celconfig.PerCallLimit),
	}, nil
}

// complete fills in defaults and returns what the API server would refuse.
func (s *schema) complete(ctx context.Context, object map[string]any) field.ErrorList {
	defaulting.Default(object, s.structural)
	errs := validation.ValidateCustomResource(nil, object, s.validator)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, s.structural, object)...)
	// CEL rules may assume what the schema guarantees.
	if len(errs) == 0 && s.rules != nil {
		errs, _ = s.rules.Validate(ctx, nil, s.structural, object, nil, celconfig.RuntimeCELCostBudget)
	}
	return errs
}
