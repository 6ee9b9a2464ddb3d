package admission

import (
	"context"
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// validate decides whether an object may enter.
func (j *Judge) validate(ctx context.Context, environment string, request *admissionv1.AdmissionRequest) (decision, error) {
	if request.Operation != admissionv1.Create && request.Operation != admissionv1.Update {
		return decision{}, nil
	}
	switch kind := groupKind(request); {
	case kind == releaseKind().GroupKind() && request.SubResource == "":
		return j.validateStamped(ctx, environment, request, j.validateRelease)
	case kind == approvalKind().GroupKind() && request.SubResource == "":
		return j.validateStamped(ctx, environment, request, j.validateApproval)
	case kind == appsKind("ControllerRevision").GroupKind() && request.SubResource == "":
		return j.validateAdoption(ctx, environment, request)
	case kind == appsKind("ReplicaSet").GroupKind() && request.SubResource == "":
		return j.validateAdoption(ctx, environment, request)
	case kind == exemptionKind().GroupKind() && request.SubResource == "":
		return j.validateStamped(ctx, environment, request, j.validateExemption)
	case judgedSubresource(request.SubResource):
		return j.validateSubject(ctx, environment, request)
	}
	return decision{}, nil
}

// validateSubject judges a Pod or a workload.
func (j *Judge) validateSubject(ctx context.Context, name string, request *admissionv1.AdmissionRequest) (decision, error) {
	c, err := j.readCandidate(ctx, name, request)
	if c == nil {
		return decision{}, err
	}
	d := c.decide()
	if err != nil {
		return d, err
	}
	d.judged = true
	facts, err := j.facts(ctx, c)
	if err != nil {
		return d, err
	}
	d.stale = staleImages(facts.Images)
	d.verdict = c.scope.within(c.ruleset.Evaluate(policy.Input{Subject: c.subject, Facts: facts, Limit: maxOfRule}))
	if d.verdict, err = j.keepTags(ctx, c, d.verdict); err != nil {
		return d, err
	}
	if d.verdict, err = j.judgeExempt(ctx, c, facts, d.verdict); err != nil {
		// What was found stands: an Exemption that nobody could read lifts nothing.
		d.note = "whether an Exemption lifts any of this could not be found out: " + err.Error()
	}
	if isDryRun(request) {
		d.verdict, d.lenient = withoutApproval(d.verdict)
	}
	return d, nil
}

// withoutApproval takes the missing approval out of a verdict: a dry run shows what would happen
// before anybody was asked.
func withoutApproval(verdict policy.Verdict) (rest policy.Verdict, approval []policy.Violation) {
	var others []policy.Violation
	for _, violation := range verdict.Violations {
		if violation.Rule == policy.RuleApproval {
			approval = append(approval, violation)
		} else {
			others = append(others, violation)
		}
	}
	verdict.Violations = others
	return verdict, approval
}

// environment returns nil where there is none of this name any more: its webhook entries are about to
// go, and without an Environment nothing of ours may block.
func (j *Judge) environment(ctx context.Context, name string) (*v1alpha1.Environment, error) {
	environment, err := j.Policies.Environment(ctx, name)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading Environment %q: %w", name, err)
	}
	return environment, nil
}

// isMirrorPod recognizes the API server's picture of a static pod. The kubelet runs it from a file
// whatever the API server says, so refusing the picture would only hide it.
func isMirrorPod(request *admissionv1.AdmissionRequest, subject *policy.Subject) bool {
	_, annotated := subject.Metadata.Annotations[corev1.MirrorPodAnnotationKey]
	return subject.IsPod() && annotated && strings.HasPrefix(request.UserInfo.Username, "system:node:")
}

// judgedSubresource: resize and ephemeralcontainers bring a whole Pod; status, scale and the others
// cannot change what runs.
func judgedSubresource(subresource string) bool {
	return subresource == "" || subresource == "ephemeralcontainers" || subresource == "resize"
}

func groupKind(request *admissionv1.AdmissionRequest) schema.GroupKind {
	return schema.GroupKind{Group: request.Kind.Group, Kind: request.Kind.Kind}
}

func releaseKind() schema.GroupVersionKind {
	return v1alpha1.GroupVersion().WithKind(v1alpha1.KindRelease)
}

func approvalKind() schema.GroupVersionKind {
	return v1alpha1.GroupVersion().WithKind(v1alpha1.KindApproval)
}
