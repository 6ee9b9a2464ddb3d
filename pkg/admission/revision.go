package admission

import (
	"context"
	"encoding/json"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// validateRevision keeps ControllerRevisions in the hands of their controllers where approval is
// asked: the Pods of a StatefulSet may be made from one, and are then believed to be its children.
func (j *Judge) validateRevision(ctx context.Context, name string, request *admissionv1.AdmissionRequest) (decision, error) {
	type revision struct {
		Data json.RawMessage `json:"data"`
	}
	var object, old revision
	if err := json.Unmarshal(request.Object.Raw, &object); err != nil {
		return decision{}, fmt.Errorf("reading ControllerRevision: %w", err)
	}
	if request.Operation == admissionv1.Update {
		if err := json.Unmarshal(request.OldObject.Raw, &old); err != nil {
			return decision{}, fmt.Errorf("reading the former state of ControllerRevision: %w", err)
		}
		if sameJSON(object.Data, old.Data) {
			return decision{}, nil
		}
	}
	if isController(request.UserInfo, "statefulset-controller") || isController(request.UserInfo, "daemon-set-controller") {
		return decision{}, nil
	}
	environment, err := j.environment(ctx, name)
	if err != nil || environment == nil {
		return decision{}, err
	}
	d := decision{judged: true, what: fmt.Sprintf("ControllerRevision %q", request.Name), enforcement: environment.Spec.Enforcement}
	if environment.Spec.Rules.Approval == nil {
		return d, nil
	}
	d.verdict = policy.NewVerdict(policy.Violation{
		Rule: policy.RuleApproval, Field: "data",
		Message: "only its controller may write a ControllerRevision here, because Pods are made from it without being approved again: change the workload instead",
	})
	if request.DryRun != nil && *request.DryRun {
		d.verdict, d.lenient = withoutApproval(d.verdict)
	}
	return d, nil
}
