package admission

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// stamp lets a Release, Approval or Exemption be stamped where the environment owns its namespace, and nothing be
// sealed for any other. A webhook cannot know that it is the API server who asks: whoever reaches its port could
// otherwise have a made-up review sealed, store the answer in a namespace that nothing guards yet, and wait
// for an Environment to cover it.
func (j *Judge) stamp(ctx context.Context, name string, request *admissionv1.AdmissionRequest, creates bool, by door) (decision, error) {
	if !creates {
		return decision{}, nil
	}
	owned, refusal, err := j.owns(ctx, name, request)
	if err != nil || !owned {
		return refusal, err
	}
	return by(ctx, name, request)
}

// validateStamped judges a stamped object in the name of the environment that owns its namespace. Where the
// selectors of two match a namespace, the entry of the other one has no say. That a spec is immutable holds for all.
func (j *Judge) validateStamped(ctx context.Context, name string, request *admissionv1.AdmissionRequest, by door) (decision, error) {
	if request.Operation == admissionv1.Create {
		if owned, refusal, err := j.owns(ctx, name, request); err != nil || !owned {
			return refusal, err
		}
	}
	return by(ctx, name, request)
}

// owns tells whether a request's namespace belongs to the environment; where it belongs to none, it is refused.
func (j *Judge) owns(ctx context.Context, name string, request *admissionv1.AdmissionRequest) (bool, decision, error) {
	environment, err := j.environment(ctx, name)
	if err != nil {
		return false, decision{}, err
	}
	owner := ""
	if environment != nil {
		if owner, err = j.Policies.EnvironmentOf(ctx, request.Namespace); err != nil {
			return false, decision{}, fmt.Errorf("finding the environment of namespace %q: %w", request.Namespace, err)
		}
	}
	switch {
	case owner == "":
		return false, decision{judged: true, verdict: policy.NewVerdict(policy.Violation{
			Rule: stampRule(request), Field: "metadata.namespace",
			Message: fmt.Sprintf("namespace %q is not part of environment %q", request.Namespace, name),
		})}, nil
	case owner != name:
		return false, decision{}, nil
	}
	return true, decision{}, nil
}

// stampRule is the rule under which an object is refused that cannot be stamped.
func stampRule(request *admissionv1.AdmissionRequest) policy.Rule {
	switch request.Kind.Kind {
	case v1alpha1.KindApproval:
		return policy.RuleApproval
	case v1alpha1.KindExemption:
		return RuleExemption
	}
	return RuleRelease
}
