package admission

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// RuleNamespace is the rule under which a Namespace may not leave its environment.
const RuleNamespace policy.Rule = "namespace"

// verbUpdate is the right to change an Environment, and with it who belongs to it.
const verbUpdate = "update"

// validateNamespace decides whether the labels of a Namespace may take it out of an environment: whoever could
// relabel it would else decide which rules hold there. A Namespace that is listed by name cannot leave this way.
// The subresources status and finalize take labels too.
func (j *Judge) validateNamespace(ctx context.Context, name string, request *admissionv1.AdmissionRequest) (decision, error) {
	if groupKind(request) != (schema.GroupKind{Kind: "Namespace"}) || request.Operation != admissionv1.Update {
		return decision{}, nil
	}
	object, err := readMeta(request.Object.Raw)
	if err != nil {
		return decision{}, err
	}
	old, err := readMeta(request.OldObject.Raw)
	if err != nil {
		return decision{}, fmt.Errorf("reading the former state: %w", err)
	}
	environment, err := j.environment(ctx, name)
	if err != nil || environment == nil || environment.HasNamespace(request.Name) {
		return decision{}, err
	}
	d := decision{judged: true, what: fmt.Sprintf("Namespace %q", request.Name), enforcement: environment.Spec.Enforcement}
	leaves, err := leavesBySelector(environment, old, object)
	if err != nil || !leaves {
		d.judged = err != nil
		return d, err
	}
	allowed, err := j.Access.Holds(ctx, request.UserInfo, verbUpdate, name)
	if err != nil {
		return d, fmt.Errorf("asking whether user %q may update environment %q: %w", request.UserInfo.Username, name, err)
	}
	if !allowed {
		d.verdict = policy.NewVerdict(policy.Violation{
			Rule: RuleNamespace, Field: "metadata.labels", Enforcement: degree(environment, ""),
			Message: fmt.Sprintf("these labels take the namespace out of the environment, which user %q may not do: RBAC must grant the verb %q on environments.%s/%s",
				request.UserInfo.Username, verbUpdate, v1alpha1.GroupName, name),
		})
	}
	return d, nil
}

// leavesBySelector tells whether the environment's selector matched a Namespace and does not any more.
func leavesBySelector(environment *v1alpha1.Environment, old, object *metav1.ObjectMeta) (bool, error) {
	before, err := environment.Selects(old.Labels)
	if err != nil || !before {
		return false, err
	}
	after, err := environment.Selects(object.Labels)
	return err == nil && !after, err
}

// degree is the enforcement of a rule that is judged outside of a Ruleset: its own, else the environment's.
func degree(environment *v1alpha1.Environment, own v1alpha1.Enforcement) v1alpha1.Enforcement {
	switch {
	case own != "":
		return own
	case environment.Spec.Enforcement != "":
		return environment.Spec.Enforcement
	}
	return v1alpha1.EnforcementEnforce
}
