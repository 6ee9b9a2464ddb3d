package admission

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// validateAdoption judges the update of a ReplicaSet or a ControllerRevision by its metadata too. Its labels and
// owner references decide whose revision it is, and a workload returns to a revision of its own without being
// asked: nobody but the built-in controllers may give it one.
func (j *Judge) validateAdoption(ctx context.Context, name string, request *admissionv1.AdmissionRequest) (decision, error) {
	rest := j.validateSubject
	if groupKind(request) == appsKind("ControllerRevision").GroupKind() {
		rest = j.validateRevision
	}
	violation, err := j.adoptionViolation(ctx, name, request)
	if err != nil {
		return decision{judged: true, what: fmt.Sprintf("%s %q", request.Kind.Kind, request.Name)}, err
	}
	d, err := rest(ctx, name, request)
	if err != nil || violation == nil {
		return d, err
	}
	if !d.judged {
		d = decision{judged: true, what: fmt.Sprintf("%s %q", request.Kind.Kind, request.Name), enforcement: violation.Enforcement}
	}
	d.verdict.Violations = append(slices.Clone(d.verdict.Violations), *violation)
	return d, nil
}

// adoptionViolation is nil where an update changes nobody's revisions, or may.
func (j *Judge) adoptionViolation(ctx context.Context, name string, request *admissionv1.AdmissionRequest) (*policy.Violation, error) {
	if request.Operation != admissionv1.Update || isAdopter(request) {
		return nil, nil
	}
	object, err := readMeta(request.Object.Raw)
	if err != nil {
		return nil, err
	}
	old, err := readMeta(request.OldObject.Raw)
	if err != nil {
		return nil, fmt.Errorf("reading the former state: %w", err)
	}
	field := "metadata.labels"
	if maps.Equal(object.Labels, old.Labels) {
		field = "metadata.ownerReferences"
		if len(object.OwnerReferences)+len(old.OwnerReferences) == 0 || reflect.DeepEqual(object.OwnerReferences, old.OwnerReferences) {
			return nil, nil
		}
	}
	environment, err := j.environment(ctx, name)
	if err != nil || environment == nil {
		return nil, err
	}
	violation := &policy.Violation{
		Field:   field,
		Message: "only its controller may change this here, because it decides whose revision this is and a workload returns to its own revisions without being asked: change the workload instead",
	}
	switch rules := environment.Spec.Rules; {
	case rules.Approval != nil:
		violation.Rule, violation.Enforcement = policy.RuleApproval, degree(environment, rules.Approval.Enforcement)
	case rules.Access != nil:
		violation.Rule, violation.Enforcement = policy.RuleAccess, degree(environment, rules.Access.Enforcement)
	default:
		return nil, nil
	}
	return violation, nil
}

// isAdopter tells whether a request comes from a controller that gives revisions their owners, or takes them.
func isAdopter(request *admissionv1.AdmissionRequest) bool {
	return slices.ContainsFunc([]string{
		"deployment-controller", "replicaset-controller", "statefulset-controller", "daemon-set-controller",
		"generic-garbage-collector", "namespace-controller",
	}, func(controller string) bool { return isController(request.UserInfo, controller) })
}
