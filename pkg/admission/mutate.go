package admission

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// mutate adds what must not or need not come from the client.
func (j *Judge) mutate(ctx context.Context, environment string, request *admissionv1.AdmissionRequest) (decision, error) {
	kind := groupKind(request)
	switch {
	case kind == releaseKind().GroupKind() && request.SubResource == "" && request.Operation == admissionv1.Create:
		return j.stamp(ctx, environment, request, j.stampRelease)
	case kind == approvalKind().GroupKind() && request.SubResource == "" && request.Operation == admissionv1.Create:
		return j.stamp(ctx, environment, request, j.stampApproval)
	case request.Operation != admissionv1.Create && request.Operation != admissionv1.Update:
		return decision{}, nil
	case kind.Group == "" && kind.Kind == "Pod" && judgedSubresource(request.SubResource):
		return j.pinPod(ctx, environment, request)
	}
	return decision{}, nil
}

// stamper stamps and seals a Release or an Approval.
type stamper func(ctx context.Context, environment string, request *admissionv1.AdmissionRequest) (decision, error)

// stamp lets nothing be sealed for a namespace that the environment does not cover. A webhook cannot know
// that it is the API server who asks: whoever reaches its port could otherwise have a made-up review sealed,
// store the answer in a namespace that nothing guards yet, and wait for an Environment to cover it.
func (j *Judge) stamp(ctx context.Context, name string, request *admissionv1.AdmissionRequest, by stamper) (decision, error) {
	environment, err := j.environment(ctx, name)
	if err != nil {
		return decision{}, err
	}
	owner, err := j.Policies.EnvironmentOf(ctx, request.Namespace)
	if err != nil {
		return decision{}, fmt.Errorf("finding the environment of namespace %q: %w", request.Namespace, err)
	}
	if environment == nil || owner != name {
		return decision{judged: true, what: fmt.Sprintf("%s %q", request.Kind.Kind, request.Name), verdict: policy.NewVerdict(policy.Violation{
			Rule: RuleRelease, Field: "metadata.namespace",
			Message: fmt.Sprintf("namespace %q is not part of environment %q", request.Namespace, name),
		})}, nil
	}
	return by(ctx, name, request)
}

// pinPod writes the digest of every image that the Pod does not run already. Where a tag cannot be
// resolved it writes nothing: the validating side refuses the Pod and tells the cause.
func (j *Judge) pinPod(ctx context.Context, name string, request *admissionv1.AdmissionRequest) (decision, error) {
	c, err := readCandidate(request)
	if err != nil || c == nil {
		return decision{}, err
	}
	d := decision{what: c.subject.String()}
	environment, err := j.environment(ctx, name)
	if err != nil || environment == nil {
		return d, err
	}
	d.enforcement = environment.Spec.Enforcement
	if policy.EffectivePin(environment.Spec.Rules) != v1alpha1.PinPods {
		return d, nil
	}
	d.judged = true
	slots := c.subject.UnsettledImages()
	pinned := j.pinned(ctx, distinct(slots))
	for _, slot := range slots {
		if reference, found := pinned[slot.Image]; found {
			d.patch = append(d.patch, jsonpatch.NewOperation("replace", slot.Pointer, reference))
		}
	}
	return d, nil
}

// pinned returns the references that have no digest with the one that their tag names now.
func (j *Judge) pinned(ctx context.Context, references []string) map[string]string {
	resolved := make([]string, len(references))
	var group errgroup.Group
	group.SetLimit(maxConcurrentImages)
	for i, reference := range references {
		group.Go(func() error {
			ref, err := image.Parse(reference)
			if err != nil || ref.Digest != "" {
				return nil
			}
			if digest, err := j.Images.Resolve(ctx, ref); err == nil {
				resolved[i] = ref.WithDigest(digest).String()
			}
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
	pinned := map[string]string{}
	for i, reference := range references {
		if resolved[i] != "" {
			pinned[reference] = resolved[i]
		}
	}
	return pinned
}
