package admission

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
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
		return j.validateRelease(ctx, environment, request)
	case kind == approvalKind().GroupKind() && request.SubResource == "":
		return j.validateApproval(ctx, environment, request)
	case kind == appsKind("ControllerRevision").GroupKind() && request.SubResource == "":
		return j.validateRevision(ctx, environment, request)
	case policy.Covers(kind) && judgedSubresource(request.SubResource):
		return j.validateSubject(ctx, environment, request)
	}
	return decision{}, nil
}

// candidate is an object with pods that wants to enter, as a request brings it.
type candidate struct {
	request *admissionv1.AdmissionRequest
	subject *policy.Subject
	// old is the former state on an update, nil on a creation.
	old *policy.Subject
}

// readCandidate returns nil where nothing that is judged changes; it asks no port.
func readCandidate(request *admissionv1.AdmissionRequest) (*candidate, error) {
	subject, err := policy.NewSubject(groupKind(request), request.Object.Raw)
	if err != nil {
		return nil, err
	}
	if isMirrorPod(request, subject) {
		return nil, nil
	}
	c := &candidate{request: request, subject: subject}
	if request.Operation != admissionv1.Update {
		return c, nil
	}
	c.old, err = policy.NewSubject(groupKind(request), request.OldObject.Raw)
	if err != nil {
		return nil, fmt.Errorf("reading the former state: %w", err)
	}
	same, err := sameJudged(c.subject, c.old)
	if err != nil || same {
		return nil, err
	}
	c.subject.SettleFrom(c.old)
	return c, nil
}

// validateSubject judges a Pod or a workload.
func (j *Judge) validateSubject(ctx context.Context, name string, request *admissionv1.AdmissionRequest) (decision, error) {
	c, err := readCandidate(request)
	if err != nil || c == nil {
		return decision{}, err
	}
	d := decision{what: c.subject.String()}
	environment, err := j.environment(ctx, name)
	if err != nil || environment == nil {
		return d, err
	}
	d.judged, d.enforcement = true, environment.Spec.Enforcement
	facts, err := j.facts(ctx, environment, c)
	if err != nil {
		return d, err
	}
	ruleset, err := j.rulesets.of(environment)
	if err != nil {
		return d, err
	}
	d.verdict = ruleset.Evaluate(policy.Input{Subject: c.subject, Facts: facts})
	if request.DryRun != nil && *request.DryRun {
		d.verdict, d.lenient = withoutApproval(d.verdict)
	}
	return d, nil
}

// facts gathers what the environment's rules need to know, all at once.
func (j *Judge) facts(ctx context.Context, environment *v1alpha1.Environment, c *candidate) (policy.Facts, error) {
	var facts policy.Facts
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		facts.Images, err = j.imageFacts(ctx, environment, c.subject.UnsettledImages(), c.subject.IsPod())
		return err
	})
	group.Go(func() (err error) {
		facts.Approval, err = j.approvalFact(ctx, environment, c)
		return err
	})
	err := group.Wait()
	return facts, err
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
	return policy.NewVerdict(others...), approval
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
