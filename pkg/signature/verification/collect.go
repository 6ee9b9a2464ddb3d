package verification

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

// signaturesAtOnce is how many signatures of one place are fetched at one time: one may be enough. attestationsAtOnce
// is how many where all must be looked at.
const (
	signaturesAtOnce   = 4
	attestationsAtOnce = 8
)

// Collect returns what was verified of a digest by the authorities of a policy. It looks no further than the policy
// needs: where no attestations are asked, and what was verified satisfies it in all its environments, the rest is left.
//
// An error means that nobody can tell, or image.ErrNotExist that the registry has no such image. An image without
// signatures is Evidence without signatures. Authorities that could not be read are the error only where what the others
// signed does not satisfy the policy.
func (v *Verifier) Collect(ctx context.Context, access image.Access, ref image.Reference, requirement *proof.Requirement, authorities *Authorities) (proof.Evidence, error) {
	if !image.ValidDigest(ref.Digest) {
		return proof.Evidence{}, fmt.Errorf("verifying %q: it names no digest", ref)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &collection{
		verifier: v, cancel: cancel, access: registry.Access(access), ref: ref,
		requirement: requirement, authorities: authorities.list, absent: authorities.unread, wanted: map[string]bool{}, left: map[string][]proof.Rejection{},
	}
	c.evidence.Digest, c.evidence.CollectedAt = ref.Digest, v.now().UTC()
	for _, predicateType := range requirement.PredicateTypes() {
		c.wanted[predicateType] = true
		c.attestations = true
	}
	if requirement.SignaturesAsked() {
		c.wanted[proof.SignaturePredicateType] = true
	}
	c.lookEverywhere(ctx)
	return c.result(ctx)
}

// collection is the work of one Collect.
type collection struct {
	verifier    *Verifier
	cancel      context.CancelFunc
	access      registry.Access
	ref         image.Reference
	requirement *proof.Requirement
	authorities []*authority
	// absent are the policy's other authorities, which could not be read.
	absent []*unreadError
	// wanted are the predicate types that are asked for, that of signatures included.
	wanted map[string]bool
	// attestations tells whether any are asked for.
	attestations bool

	mu       sync.Mutex
	evidence proof.Evidence
	rejected rejections
	unread   []error
	// hidden tells that an attestation may be among what could not be read.
	hidden bool
	// left says by predicate type why its attestations do not count.
	left map[string][]proof.Rejection
	// large is how many bytes of large content were read.
	large int64
	// enough is true once nothing more is needed.
	enough bool
}

// atOnce is how many are fetched at one time.
func (c *collection) atOnce() int {
	if c.attestations {
		return attestationsAtOnce
	}
	return signaturesAtOnce
}

func (c *collection) isWanted(predicateType string) bool { return c.wanted[predicateType] }

// lookEverywhere looks into all places side by side.
func (c *collection) lookEverywhere(ctx context.Context) {
	var places []func(context.Context)
	if c.requirement.Looks(v1alpha1.FormatTag) {
		if c.requirement.SignaturesAsked() {
			places = append(places, c.readSignatureTag)
		}
		if c.attestations {
			places = append(places, c.readAttestationTag)
		}
	}
	if c.requirement.Looks(v1alpha1.FormatBundle) {
		places = append(places, c.readReferrers)
	}
	c.each(ctx, len(places), len(places), func(ctx context.Context, i int) { places[i](ctx) })
}

// result is the evidence, or an error where something that could not be read might have been what is missing.
func (c *collection) result(ctx context.Context) (proof.Evidence, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropIncomplete()
	tidy(c, c.verifier.now())
	// Of attestations the newest counts, which may be what could not be read.
	if len(c.unread) > 0 && (c.hidden || !c.satisfied()) {
		return proof.Evidence{}, errors.Join(distinct(c.unread)...)
	}
	// “Unsigned” and “does not exist” are mended in different ways.
	if len(c.evidence.Signatures)+len(c.evidence.Attestations) == 0 {
		if err := c.verifier.config.Registry.Exists(ctx, c.access, c.ref); err != nil {
			return proof.Evidence{}, err
		}
	}
	// So may be what an authority signed that could not be read.
	if len(c.absent) > 0 && (c.hidden || !c.satisfied()) {
		return proof.Evidence{}, joined(c.absent)
	}
	c.evidence.Rejected = c.rejected.list()
	return c.evidence, nil
}

// satisfied tells whether the policy is satisfied by the evidence so far, wherever it counts.
func (c *collection) satisfied() bool {
	policy := c.requirement.ImagePolicy()
	for _, environment := range policy.Spec.Environments {
		outcome := c.requirement.Judge(&c.evidence, proof.Context{Image: c.ref, Environment: environment, Now: c.verifier.now()})
		if !outcome.Satisfied {
			return false
		}
	}
	return len(policy.Spec.Environments) > 0
}

// add takes a signature whose format could be read.
func (c *collection) add(ctx context.Context, s *signed) {
	signatures, rejected := s.try(ctx, c.authorities)
	if len(signatures) == 0 {
		rejected.PredicateType = s.hint
		c.reject(rejected)
		c.passOver(s)
		return
	}
	rejected = proof.Rejection{Format: s.format, PredicateType: s.hint}
	if len(signatures) == 1 {
		rejected.Authority = signatures[0].Authority
	}
	said, err := s.claim()
	if said.predicateType != "" {
		rejected.PredicateType = said.predicateType
	}
	if err != nil {
		rejected.Reason = err.Error()
		c.reject(rejected)
		return
	}
	var confirmed []proof.Signature
	for _, by := range signatures {
		if by.confirmed {
			confirmed = append(confirmed, by.Signature)
			continue
		}
		if err := s.confirm(ctx, by); err != nil {
			rejected.Authority, rejected.Reason = by.Authority, "cosign does not accept it: "+err.Error()
			c.reject(rejected)
			continue
		}
		confirmed = append(confirmed, by.Signature)
	}
	if len(confirmed) > 0 {
		c.accept(said, confirmed, rejected)
	}
}

// accept takes a verified claim. What counts is its own type, whatever an annotation says of it.
func (c *collection) accept(said claim, signatures []proof.Signature, rejected proof.Rejection) {
	switch {
	case said.isSignature() && c.requirement.SignaturesAsked():
		c.mu.Lock()
		defer c.mu.Unlock()
		c.evidence.Signatures = append(c.evidence.Signatures, signatures...)
		if !c.attestations && !c.enough && c.satisfied() {
			c.enough = true
			c.cancel()
		}
	case !said.isSignature() && c.isWanted(said.predicateType):
		unreadable := ""
		predicate, err := c.requirement.Project(said.predicateType, said.predicate)
		if err != nil {
			predicate, unreadable = proof.ProjectTime(said.predicateType, said.predicate), oneLine(err.Error(), maxReason)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, signature := range signatures {
			c.evidence.Attestations = append(c.evidence.Attestations, proof.Attestation{
				Signature: signature, PredicateType: said.predicateType, Predicate: predicate, Unreadable: unreadable,
			})
		}
	case said.isSignature():
		rejected.Reason = "is a signature, for which the policy does not ask"
		c.reject(rejected)
	default:
		rejected.Reason = "is an attestation, which does not count as a signature, and of a type for which the policy does not ask"
		c.reject(rejected)
	}
}

func (c *collection) reject(r proof.Rejection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rejected.add(r)
}

// miss takes something that could not be fetched.
func (c *collection) miss(from place, err error) {
	if isTooLarge(err) {
		c.leaveContent(from, whyTooLarge(err))
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.enough:
	case errors.Is(err, image.ErrNotExist):
		c.rejected.add(proof.Rejection{Format: from.format, Reason: "its content does not exist"})
	default:
		c.unread = append(c.unread, err)
		c.hidden = c.hidden || c.attestations && !from.signatures
	}
}

// each does work n times, a few at a time, until there is enough. A panic says that nobody can tell.
func (c *collection) each(ctx context.Context, n, few int, work func(context.Context, int)) {
	once := func(i int) {
		if err := safely(func() error { work(ctx, i); return nil }); err != nil {
			c.miss(place{}, fmt.Errorf("verifying %q: %w", c.ref, err))
		}
	}
	if n == 1 {
		once(0)
		return
	}
	var wait sync.WaitGroup
	slots := make(chan struct{}, max(few, 1))
	for i := range n {
		slots <- struct{}{}
		if c.hasEnough() {
			break
		}
		wait.Go(func() {
			defer func() { <-slots }()
			once(i)
		})
	}
	wait.Wait()
}

func (c *collection) hasEnough() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.enough
}

// fetch reads a layer's content and hands it on, while it is among what all together may hold in memory.
func (c *collection) fetch(ctx context.Context, from place, l layer, use func([]byte) error) {
	if !c.affords(l.Size) {
		c.leaveContent(from, fmt.Sprintf("more than %d MiB lie beside it, of which only these were read", maxLarge>>20))
		return
	}
	var content []byte
	err := c.verifier.reading.content(ctx, c.ref.Registry, l.Size, func(ctx context.Context) (err error) {
		content, err = c.verifier.config.Registry.Blob(ctx, c.access, c.ref, l.Digest, l.Size)
		return err
	}, func() {
		if err := safely(func() error { return use(content) }); err != nil {
			c.reject(proof.Rejection{Format: from.format, Reason: err.Error()})
		}
	})
	if err != nil {
		c.miss(from, err)
	}
}

// affords tells whether content may be read: what is small always, of what is large only so much for one image, as
// reading it takes the processor seconds.
func (c *collection) affords(size int64) bool {
	if size <= small {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.large+size > maxLarge {
		return false
	}
	c.large += size
	return true
}

// safely turns a panic of a parser of strangers' content into an error.
func safely(work func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("it cannot be read: %v", cause)
		}
	}()
	return work()
}
