package admission

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// validateRevision keeps ControllerRevisions in the hands of their controllers where approval or the right to
// deploy is asked: the Pods of a StatefulSet may be made from one, and are then believed to be its children.
func (j *Judge) validateRevision(ctx context.Context, name string, request *admissionv1.AdmissionRequest) (decision, error) {
	if request.Operation == admissionv1.Update {
		if same, err := sameMember(request.Object.Raw, request.OldObject.Raw, "data"); err != nil || same {
			return decision{}, err
		}
	}
	if isController(request.UserInfo, "statefulset-controller") || isController(request.UserInfo, "daemon-set-controller") {
		return decision{}, nil
	}
	environment, err := j.environment(ctx, name)
	if err != nil || environment == nil {
		return decision{}, err
	}
	d := decision{judged: true, what: fmt.Sprintf("ControllerRevision %q", request.Name), enforcement: j.rulesets.strictest(environment)}
	var violations []policy.Violation
	if rules := environment.Spec.Rules.Approval; rules != nil {
		violations = append(violations, policy.Violation{
			Rule: policy.RuleApproval, Field: "data", Enforcement: degree(environment, rules.Enforcement),
			Message: "only its controller may write a ControllerRevision here, because Pods are made from it without being approved again: change the workload instead",
		})
	}
	if rules := environment.Spec.Rules.Access; rules != nil {
		allowed, err := j.mayDeploy(ctx, name, request.UserInfo)
		if err != nil {
			return d, err
		}
		if !allowed {
			violations = append(violations, policy.Violation{
				Rule: policy.RuleAccess, Field: "data", Enforcement: degree(environment, rules.Enforcement),
				Message: fmt.Sprintf("user %q may not change what runs here: RBAC must grant the verb %q on environments.%s/%s",
					request.UserInfo.Username, v1alpha1.VerbDeploy, v1alpha1.GroupName, name),
			})
		}
	}
	d.verdict = policy.NewVerdict(violations...)
	if isDryRun(request) {
		d.verdict, d.lenient = withoutApproval(d.verdict)
	}
	return d, nil
}
