package admission

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// maxConcurrentImages of one request that are asked for at the same time.
const maxConcurrentImages = 16

// Inspector finds out what is known about images: which digest, and which ImagePolicies are satisfied. Admission,
// `kubectl rune check` and `kubectl rune audit` all ask it. It is safe for concurrent use.
type Inspector struct {
	images       Images
	clock        clock.PassiveClock
	requirements *requirements
}

// NewInspector returns an Inspector that asks registries through a port.
func NewInspector(images Images, clock clock.PassiveClock) (*Inspector, error) {
	compiler, err := proof.NewCompiler()
	if err != nil {
		return nil, fmt.Errorf("preparing to judge images: %w", err)
	}
	return &Inspector{images: images, clock: clock, requirements: newRequirements(compiler)}, nil
}

// Inspection is what is asked about the images of one object.
type Inspection struct {
	// Environment whose ImagePolicies count, by name.
	Environment string
	// Policies are those that name the environment, or more; nil pointers are not allowed. The same pointer is compiled once.
	Policies []*v1alpha1.ImagePolicy
	// References as they stand in the object, each once.
	References []string
	// Access with which the object's pods pull their images.
	Access image.Access
	// Signatures tells whether signatures are asked for; else only digests are.
	Signatures bool
}

// Facts inspects images side by side. What a registry says or does not say is a fact; an error is only a policy that
// cannot be read: leaving it out would ask for less.
func (i *Inspector) Facts(ctx context.Context, in Inspection) (map[string]policy.ImageFact, error) {
	var selected []*proof.Requirement
	if in.Signatures {
		var err error
		if selected, err = i.requirements.of(in.Policies); err != nil {
			return nil, err
		}
	}
	facts := make([]policy.ImageFact, len(in.References))
	var group errgroup.Group
	group.SetLimit(maxConcurrentImages)
	for n, reference := range in.References {
		group.Go(func() error {
			facts[n] = i.fact(ctx, in, selected, reference)
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
	byReference := make(map[string]policy.ImageFact, len(facts))
	for n, reference := range in.References {
		byReference[reference] = facts[n]
	}
	return byReference, nil
}

// fact resolves a reference once and verifies that digest against every policy that covers it.
func (i *Inspector) fact(ctx context.Context, in Inspection, requirements []*proof.Requirement, reference string) policy.ImageFact {
	fact := policy.ImageFact{}
	ref, err := image.Parse(reference)
	if err != nil {
		fact.Cause = err.Error()
		return fact
	}
	fact.Digest = ref.Digest
	var covering []*proof.Requirement
	for _, requirement := range requirements {
		if requirement.Covers(in.Environment, ref) {
			covering = append(covering, requirement)
		}
	}
	switch {
	case !in.Signatures:
		fact.Signature = policy.SignatureNotAsked
	case len(covering) == 0:
		fact.Signature = policy.SignatureNoPolicy
		return fact
	}
	if ref.Digest == "" {
		resolution, err := i.images.Resolve(ctx, in.Access, ref)
		if err != nil {
			return unknownFact(fact, err)
		}
		fact.Digest, fact.Stale = resolution.Digest, resolution.Stale
		ref = ref.WithDigest(resolution.Digest)
	}
	if in.Signatures {
		i.verify(ctx, in, covering, ref, &fact)
	}
	return fact
}

// verify asks for every policy side by side: they share what the registry answers.
func (i *Inspector) verify(ctx context.Context, in Inspection, covering []*proof.Requirement, ref image.Reference, fact *policy.ImageFact) {
	results := make([]policy.PolicyFact, len(covering))
	stale := make([]string, len(covering))
	now := i.clock.Now()
	if len(covering) == 1 {
		results[0], stale[0] = i.ask(ctx, in, covering[0], ref, now)
	} else {
		var group errgroup.Group
		for n, requirement := range covering {
			group.Go(func() error {
				results[n], stale[n] = i.ask(ctx, in, requirement, ref, now)
				return nil
			})
		}
		_ = group.Wait() // no function returns an error
	}
	fact.Signature = policy.SignatureVerified
	for n, result := range results {
		if fact.Stale == "" {
			fact.Stale = stale[n]
		}
		if result.Signature == policy.SignatureVerified {
			continue
		}
		fact.Unsatisfied = append(fact.Unsatisfied, result)
		if fact.Signature != policy.SignatureRejected {
			fact.Signature = result.Signature
		}
	}
}

func (i *Inspector) ask(ctx context.Context, in Inspection, requirement *proof.Requirement, ref image.Reference, now time.Time) (fact policy.PolicyFact, stale string) {
	fact = policy.PolicyFact{Policy: requirement.ImagePolicy().Name}
	finding, err := i.images.Verify(ctx, proof.Question{
		Image: ref, Requirement: requirement, Access: in.Access, Environment: in.Environment, Now: now,
	})
	switch {
	case errors.Is(err, image.ErrNotExist):
		fact.Signature, fact.Reasons = policy.SignatureNoImage, []string{err.Error()}
	case err != nil:
		fact.Signature, fact.Reasons = policy.SignatureUnknown, []string{err.Error()}
	case finding.Outcome.Satisfied:
		fact.Signature = policy.SignatureVerified
		return fact, finding.Stale
	default:
		fact.Signature, fact.Reasons = policy.SignatureRejected, finding.Outcome.Reasons
	}
	return fact, ""
}

func unknownFact(fact policy.ImageFact, err error) policy.ImageFact {
	if fact.Signature != policy.SignatureNotAsked {
		fact.Signature = policy.SignatureUnknown
		if errors.Is(err, image.ErrNotExist) {
			fact.Signature = policy.SignatureNoImage
		}
	}
	fact.Cause = err.Error()
	return fact
}
