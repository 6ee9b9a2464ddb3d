package policy

import (
	"errors"
	"fmt"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// Addition is one field that an environment's defaults add to a pod or pod template. It is an "add" operation
// of RFC 6902: its parent exists, and nothing but null stood there before.
type Addition struct {
	// Pointer is a JSON pointer (RFC 6901) from the pod's or template's root: "/spec/containers/0/resources".
	Pointer string
	// Value in the form that package json marshals: maps, slices, strings, numbers and booleans.
	Value any
}

// Completion is a subject with the defaults of an environment.
type Completion struct {
	// Subject as it reads once the Additions are made; the one that was completed where there are none.
	Subject *Subject
	// Additions in order; each counts on those before it.
	Additions []Addition
}

// completer knows the defaults of one environment.
type completer struct {
	resources   *resourceDefaults
	probes      []probeDefault
	podSecurity bool
}

// newCompleter prepares the defaults of some rules; nil where there are none. Its errors name every default that
// could make a valid pod invalid or that breaks the environment's own bounds.
func newCompleter(rules v1alpha1.Rules) (*completer, error) {
	c := &completer{podSecurity: rules.PodSecurity != nil && rules.PodSecurity.Defaults}
	var resourcesErr, probesErr error
	if rules.Resources != nil && rules.Resources.Defaults != nil {
		c.resources, resourcesErr = newResourceDefaults(*rules.Resources)
	}
	if rules.Probes != nil && rules.Probes.Defaults != nil {
		c.probes, probesErr = newProbeDefaults(*rules.Probes.Defaults)
	}
	if err := errors.Join(resourcesErr, probesErr); err != nil {
		return nil, err
	}
	if c.resources == nil && c.probes == nil && !c.podSecurity {
		return nil, nil
	}
	return c, nil
}

// Complete adds the defaults of the environment that a subject leaves unset: resources, probes and what the level
// restricted of the Pod Security Standards demands. It changes nothing that is set, makes no valid object
// invalid, and adds nothing to what it completed before. The subject itself is left as it is.
func (r *Ruleset) Complete(subject *Subject) (*Completion, error) {
	unchanged := &Completion{Subject: subject}
	if r.completer == nil {
		return unchanged, nil
	}
	wanted := r.completer.missing(subject)
	if wanted == nil {
		return unchanged, nil
	}
	template, additions := wanted.graft(subject.Template)
	if len(additions) == 0 {
		return unchanged, nil
	}
	completed := *subject
	completed.Template = template
	completed.Object = replaceAt(subject.Object, subject.TemplatePath, template)
	if err := completed.readTemplate(); err != nil {
		return nil, fmt.Errorf("completing the pod template of %s: %w", subject, err)
	}
	return &Completion{Subject: &completed, Additions: additions}, nil
}

// missing returns the fields that a subject lacks; nil if none.
func (c *completer) missing(subject *Subject) *growth {
	g := &growth{}
	if c.resources != nil {
		c.resources.missing(&subject.Spec, g)
	}
	if len(c.probes) > 0 {
		missingProbes(c.probes, &subject.Spec, g)
	}
	if c.podSecurity {
		missingSecurity(&subject.Spec, g)
	}
	if len(g.children) == 0 {
		return nil
	}
	return g
}
