package proof

import (
	"slices"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// Defaults of spec.cache.
const (
	DefaultValidFor = time.Hour
	DefaultStaleFor = 24 * time.Hour
)

// Requirement is an ImagePolicy made ready to judge by. It always judges alike, and is safe for concurrent use.
type Requirement struct {
	policy *v1alpha1.ImagePolicy
	globs  []image.Glob
	// attestations in the order of the policy.
	attestations []attestation
	// predicateTypes are the URIs of all attestations, sorted.
	predicateTypes []string
	// needs are the parts of predicates that are looked at, by URI of the predicate type.
	needs       map[string]*need
	fingerprint string
}

// attestation is an AttestationRequirement made ready to judge by.
type attestation struct {
	*v1alpha1.AttestationRequirement
	// uri of the predicate type.
	uri        string
	conditions []condition
	// answers of the conditions; nil where one looks at the clock.
	answers *answers
}

// ImagePolicy that the Requirement was made of; it must not be changed.
func (r *Requirement) ImagePolicy() *v1alpha1.ImagePolicy { return r.policy }

// Covers tells whether the policy is about an image in an environment.
func (r *Requirement) Covers(environment string, ref image.Reference) bool {
	return slices.Contains(r.policy.Spec.Environments, environment) &&
		slices.ContainsFunc(r.globs, func(g image.Glob) bool { return g.Match(ref) })
}

// Fingerprint identifies what decides which Evidence is collected: authorities, formats, predicate types and the parts
// of predicates that are looked at. Keys and trust roots that stand elsewhere (Secrets, files, KMS) are not in it, nor
// is what Judge alone looks at: how many must sign, ages, the text of conditions, the end of a key's time.
func (r *Requirement) Fingerprint() string { return r.fingerprint }

// PredicateTypes of the attestations that are asked for, as URIs, sorted. The caller must not change them.
func (r *Requirement) PredicateTypes() []string { return r.predicateTypes }

// SignaturesAsked tells whether signatures of the image itself are asked for.
func (r *Requirement) SignaturesAsked() bool {
	return r.policy.Spec.Require != v1alpha1.RequireAttestationsOnly
}

// Looks tells whether signatures and attestations are looked for in a format.
func (r *Requirement) Looks(format v1alpha1.SignatureFormat) bool {
	return len(r.policy.Spec.Formats) == 0 || slices.Contains(r.policy.Spec.Formats, format)
}

// ValidFor is how long Evidence counts without asking the registry again.
func (r *Requirement) ValidFor() time.Duration {
	if cache := r.policy.Spec.Cache; cache != nil && cache.ValidFor != nil {
		return cache.ValidFor.Duration
	}
	return DefaultValidFor
}

// StaleFor is how long, after that, Evidence still counts while the registry fails.
func (r *Requirement) StaleFor() time.Duration {
	if cache := r.policy.Spec.Cache; cache != nil && cache.StaleFor != nil {
		return cache.StaleFor.Duration
	}
	return DefaultStaleFor
}
