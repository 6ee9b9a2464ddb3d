package proof

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/google/cel-go/cel"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/expression"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// Compiler makes Requirements. It is safe for concurrent use.
type Compiler struct {
	environment func() (*cel.Env, error)
}

// NewCompiler returns a Compiler. What all expressions share is prepared when the first of them is compiled, which
// takes some milliseconds: most ImagePolicies have none.
func NewCompiler() (*Compiler, error) {
	return &Compiler{environment: sync.OnceValues(newEnvironment)}, nil
}

// FieldError is one thing for which an ImagePolicy cannot be judged by.
type FieldError struct {
	// Policy is the ImagePolicy's name.
	Policy string
	// Field is its path from the object's root: "spec.attestations[0].predicateType".
	Field string
	// Message says what is wrong with the field, without naming it.
	Message string
}

// Error implements error.
func (e *FieldError) Error() string {
	return fmt.Sprintf("reading ImagePolicy %q: %s: %s", e.Policy, e.Field, e.Message)
}

// Compile returns an error that joins a FieldError for all that is wrong with an ImagePolicy, as far as a judgement
// needs it; package configuration says the rest. The policy must not be changed afterwards.
func (c *Compiler) Compile(policy *v1alpha1.ImagePolicy) (*Requirement, error) {
	b := builder{requirement: &Requirement{policy: policy, needs: map[string]*need{}}}
	b.globs()
	b.quorum()
	if err := b.attestations(c); err != nil {
		return nil, err
	}
	if err := errors.Join(b.problems...); err != nil {
		return nil, err
	}
	var err error
	if b.requirement.fingerprint, err = b.requirement.computeFingerprint(); err != nil {
		return nil, fmt.Errorf("reading ImagePolicy %q: %w", policy.Name, err)
	}
	return b.requirement, nil
}

// builder reads one ImagePolicy.
type builder struct {
	requirement *Requirement
	problems    []error
}

func (b *builder) add(field, format string, args ...any) {
	b.problems = append(b.problems, &FieldError{
		Policy: b.requirement.policy.Name, Field: field, Message: fmt.Sprintf(format, args...),
	})
}

func (b *builder) globs() {
	for i, text := range b.requirement.policy.Spec.Images {
		glob, err := image.ParseGlob(text)
		if err != nil {
			b.add(fmt.Sprintf("spec.images[%d]", i), "%s", err)
			continue
		}
		b.requirement.globs = append(b.requirement.globs, glob)
	}
}

// quorum refuses what would ask for nothing, and what nobody knows: of that a judgement could only guess.
func (b *builder) quorum() {
	spec := &b.requirement.policy.Spec
	switch spec.Require {
	case "", v1alpha1.RequireAny, v1alpha1.RequireAll:
	case v1alpha1.RequireAtLeast:
		switch {
		case spec.AtLeast == nil:
			b.add("spec.atLeast", "must be set where require is AtLeast")
		case *spec.AtLeast < 1:
			b.add("spec.atLeast", "must be at least 1, else nobody would have to sign")
		case int(*spec.AtLeast) > len(spec.Authorities):
			b.add("spec.atLeast", "is more than there are authorities: %d of %d", *spec.AtLeast, len(spec.Authorities))
		}
	case v1alpha1.RequireAttestationsOnly:
		if len(spec.Attestations) == 0 {
			b.add("spec.require", "AttestationsOnly needs attestations, else nothing would be asked")
		}
	default:
		b.add("spec.require", "%q is none of Any, All, AtLeast, AttestationsOnly", spec.Require)
	}
	if len(spec.Authorities) == 0 {
		b.add("spec.authorities", "must name somebody who signs")
	}
	for i, format := range spec.Formats {
		if format != v1alpha1.FormatTag && format != v1alpha1.FormatBundle {
			b.add(fmt.Sprintf("spec.formats[%d]", i), "%q is none of Tag, Bundle", format)
		}
	}
}

func (b *builder) attestations(c *Compiler) error {
	r := b.requirement
	known := map[string]bool{}
	for _, authority := range r.policy.Spec.Authorities {
		known[authority.Name] = true
	}
	for i := range r.policy.Spec.Attestations {
		required := &r.policy.Spec.Attestations[i]
		field := fmt.Sprintf("spec.attestations[%d]", i)
		uri, err := predicateTypeURI(required.PredicateType)
		if err != nil {
			b.add(field+".predicateType", "%s", err)
		}
		for n, name := range required.Authorities {
			if !known[name] {
				b.add(fmt.Sprintf("%s.authorities[%d]", field, n), "the policy has no authority %q", name)
			}
		}
		read := attestation{AttestationRequirement: required, uri: uri}
		if err := b.conditions(c, &read, field); err != nil {
			return err
		}
		r.attestations = append(r.attestations, read)
		r.predicateTypes = append(r.predicateTypes, uri)
	}
	slices.Sort(r.predicateTypes)
	r.predicateTypes = slices.Compact(r.predicateTypes)
	return nil
}

// conditions reads those of one attestation and finds out what they and its age look at.
func (b *builder) conditions(c *Compiler, read *attestation, field string) error {
	looked := b.requirement.needs[read.uri]
	if looked == nil {
		looked = &need{}
		b.requirement.needs[read.uri] = looked
	}
	at := looked
	for _, key := range timePath(read.uri) {
		at = at.field(key)
	}
	if len(read.Conditions) == 0 {
		return nil
	}
	environment, err := c.environment()
	if err != nil {
		return fmt.Errorf("reading ImagePolicy %q: %w", b.requirement.policy.Name, err)
	}
	read.answers = &answers{}
	for i := range read.Conditions {
		compiled, err := expression.Compile(environment, read.Conditions[i].Expression)
		if err != nil {
			b.add(fmt.Sprintf("%s.conditions[%d].expression", field, i), "%s", err)
			continue
		}
		looked.analyse(compiled.AST())
		if looksAtClock(compiled.AST()) {
			read.answers = nil
		}
		read.conditions = append(read.conditions, condition{&read.Conditions[i], compiled})
	}
	return nil
}

// computeFingerprint hashes what decides about collecting. Its JSON is canonical: package json sorts the keys of maps.
func (r *Requirement) computeFingerprint() (string, error) {
	authorities := slices.Clone(r.policy.Spec.Authorities)
	for i, authority := range authorities {
		if authority.Key != nil {
			key := *authority.Key
			key.NotAfter = nil
			authorities[i].Key = &key
		}
	}
	formats := slices.Clone(r.policy.Spec.Formats)
	slices.Sort(formats)
	looked := map[string][]string{}
	for uri, n := range r.needs {
		looked[uri] = n.paths()
	}
	text, err := json.Marshal(map[string]any{
		"authorities": authorities, "formats": formats, "signatures": r.SignaturesAsked(), "predicates": looked,
	})
	if err != nil {
		return "", fmt.Errorf("computing its fingerprint: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}
