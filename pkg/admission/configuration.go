package admission

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/policy/configuration"
	"github.com/runeframeos/kubectl-rune/pkg/policy/rawjson"
)

// RuleConfiguration is the rule under which an Environment or an ImagePolicy is refused that nobody could judge by.
const RuleConfiguration policy.Rule = "configuration"

// validateConfiguration refuses an Environment or ImagePolicy that could not be judged by. What it does not see,
// because the webhook was down, is judged fail-closed when it is used. An object that was stored before and whose
// spec stays as it is is let through: its finalizers must not wait for its spec.
func (j *Judge) validateConfiguration(_ context.Context, _ string, request *admissionv1.AdmissionRequest) (decision, error) {
	kind := groupKind(request)
	if kind.Group != v1alpha1.GroupName || request.SubResource != "" ||
		(request.Operation != admissionv1.Create && request.Operation != admissionv1.Update) {
		return decision{}, nil
	}
	if request.Operation == admissionv1.Update {
		same, err := sameMember(request.Object.Raw, request.OldObject.Raw, "spec")
		if err != nil || same {
			return decision{}, err
		}
	}
	var problems []configuration.Problem
	var err error
	switch kind.Kind {
	case v1alpha1.KindEnvironment:
		problems, err = j.environmentProblems(request.Object.Raw)
	case v1alpha1.KindImagePolicy:
		problems, err = imagePolicyProblems(request.Object.Raw)
	default:
		return decision{}, nil
	}
	d := decision{judged: true, what: fmt.Sprintf("%s %q", kind.Kind, request.Name)}
	violations := make([]policy.Violation, len(problems))
	for i, p := range problems {
		violations[i] = policy.Violation{Rule: RuleConfiguration, Field: p.Field, Message: p.Message, Enforcement: v1alpha1.EnforcementEnforce}
	}
	d.verdict = policy.NewVerdict(violations...)
	return d, err
}

// environmentProblems lists what the schema of an Environment cannot say.
func (j *Judge) environmentProblems(raw []byte) ([]configuration.Problem, error) {
	environment := &v1alpha1.Environment{}
	if err := rawjson.CheckExponents(raw); err != nil {
		return nil, fmt.Errorf("reading Environment: %w", err)
	}
	if err := utiljson.Unmarshal(raw, environment); err != nil {
		return nil, fmt.Errorf("reading Environment: %w", err)
	}
	found := configuration.Environment(environment)
	for _, err := range causes(j.rulesets.check(environment)) {
		found = append(found, configuration.Problem{Field: "spec.rules", Message: err.Error()})
	}
	return found, nil
}

// imagePolicyProblems lists what the schema of an ImagePolicy cannot say.
func imagePolicyProblems(raw []byte) ([]configuration.Problem, error) {
	images := &v1alpha1.ImagePolicy{}
	if err := utiljson.Unmarshal(raw, images); err != nil {
		return nil, fmt.Errorf("reading ImagePolicy: %w", err)
	}
	return configuration.ImagePolicy(images), nil
}

// causes splits an error that was joined of several.
func causes(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
