package admission

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// maxConcurrentImages of one request that are asked for at the same time.
const maxConcurrentImages = 16

// imageFacts verifies the images of a subject side by side, each reference once.
func (j *Judge) imageFacts(ctx context.Context, environment *v1alpha1.Environment, slots []policy.ImageSlot, pod bool) (map[string]policy.ImageFact, error) {
	signatures := environment.Spec.Rules.Signatures != nil
	pin := pins(environment, pod)
	if len(slots) == 0 || (!signatures && !pin) {
		return nil, nil
	}
	var policies []v1alpha1.ImagePolicy
	if signatures {
		var err error
		if policies, err = j.Policies.ImagePolicies(ctx, environment.Name); err != nil {
			return nil, fmt.Errorf("reading the ImagePolicies of Environment %q: %w", environment.Name, err)
		}
	}
	references := distinct(slots)
	facts := make([]policy.ImageFact, len(references))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrentImages)
	for i, reference := range references {
		group.Go(func() (err error) {
			if signatures {
				facts[i], err = j.signatureFact(ctx, environment.Name, policies, reference)
			} else {
				facts[i] = j.digestFact(ctx, reference)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	byReference := make(map[string]policy.ImageFact, len(references))
	for i, reference := range references {
		byReference[reference] = facts[i]
	}
	return byReference, nil
}

// pins tells whether tags are replaced by digests in Pods, or else in the pod templates of workloads.
func pins(environment *v1alpha1.Environment, pod bool) bool {
	switch policy.EffectivePin(environment.Spec.Rules) {
	case v1alpha1.PinWorkloads:
		return true
	case v1alpha1.PinPods:
		return pod
	}
	return false
}

func distinct(slots []policy.ImageSlot) []string {
	var references []string
	seen := map[string]bool{}
	for _, slot := range slots {
		if !seen[slot.Image] {
			seen[slot.Image] = true
			references = append(references, slot.Image)
		}
	}
	return references
}

// signatureFact resolves a reference once and verifies that digest against every policy that covers
// it. What a registry says is a fact; an error is only a policy that cannot be read.
func (j *Judge) signatureFact(ctx context.Context, environment string, policies []v1alpha1.ImagePolicy, reference string) (policy.ImageFact, error) {
	ref, err := image.Parse(reference)
	if err != nil {
		return policy.ImageFact{Cause: err.Error()}, nil
	}
	selected, err := policy.PoliciesFor(policies, environment, ref)
	if err != nil {
		return policy.ImageFact{}, err
	}
	if len(selected) == 0 {
		return policy.ImageFact{Signature: policy.SignatureNoPolicy, Digest: ref.Digest}, nil
	}
	if ref.Digest == "" {
		digest, err := j.Images.Resolve(ctx, ref)
		if err != nil {
			return unknownFact(ref, err), nil
		}
		ref = ref.WithDigest(digest)
	}
	for _, p := range selected {
		proof, err := j.Images.Verify(ctx, ref, p.Spec.Authorities)
		if err != nil {
			return unknownFact(ref, err), nil
		}
		if !proof.Verified {
			return policy.ImageFact{
				Signature: policy.SignatureRejected, Digest: ref.Digest,
				Policy: p.Name, Authorities: authorityNames(p), Cause: proof.Reason,
			}, nil
		}
	}
	return policy.ImageFact{Signature: policy.SignatureVerified, Digest: ref.Digest}, nil
}

// digestFact resolves a reference where digests are asked but signatures are not.
func (j *Judge) digestFact(ctx context.Context, reference string) policy.ImageFact {
	fact := policy.ImageFact{Signature: policy.SignatureNotAsked}
	ref, err := image.Parse(reference)
	if err != nil {
		fact.Cause = err.Error()
		return fact
	}
	fact.Digest = ref.Digest
	if ref.Digest == "" {
		if fact.Digest, err = j.Images.Resolve(ctx, ref); err != nil {
			fact.Cause = err.Error()
		}
	}
	return fact
}

func unknownFact(ref image.Reference, err error) policy.ImageFact {
	fact := policy.ImageFact{Digest: ref.Digest, Cause: err.Error()}
	if errors.Is(err, image.ErrNotExist) {
		fact.Signature = policy.SignatureNoImage
	}
	return fact
}

func authorityNames(p v1alpha1.ImagePolicy) []string {
	var names []string
	for _, authority := range p.Spec.Authorities {
		names = append(names, authority.Name)
	}
	return names
}
