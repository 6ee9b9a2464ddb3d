package registries

import (
	"context"
	"sync"

	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// Facts finds out about the images of objects what admission would, for `kubectl rune check` and `kubectl rune audit`.
// Each image is asked about once, however many objects have it: the answers are those of one run of a command. It is
// safe for concurrent use. That of a nil pointer asks nobody.
type Facts struct {
	inspector *admission.Inspector
	// policies by the environments that they name; the same pointers always.
	policies map[string][]*v1alpha1.ImagePolicy
	// PullSecrets tells that those of the objects are used.
	pullSecrets bool

	mu      sync.Mutex
	answers map[asked]*answer
}

// asked is what an answer depends on.
type asked struct{ environment, access, reference string }

// answer is there once done is closed.
type answer struct {
	done chan struct{}
	fact policy.ImageFact
	err  error
}

// NewFacts returns Facts that ask by all ImagePolicies there are. With pullSecrets the objects' own are used, as far as
// images was opened with a connection to read them.
func NewFacts(images admission.Images, policies []v1alpha1.ImagePolicy, clock clock.PassiveClock, pullSecrets bool) (*Facts, error) {
	inspector, err := admission.NewInspector(images, clock)
	if err != nil {
		return nil, err
	}
	f := &Facts{inspector: inspector, policies: map[string][]*v1alpha1.ImagePolicy{}, pullSecrets: pullSecrets, answers: map[asked]*answer{}}
	for i := range policies {
		for _, name := range policies[i].Spec.Environments {
			f.policies[name] = append(f.policies[name], &policies[i])
		}
	}
	return f, nil
}

// Of returns what is known of a subject's images, by reference; nothing where its rules do not ask for signatures. The
// error is an ImagePolicy that cannot be read.
func (f *Facts) Of(ctx context.Context, rules *policy.Ruleset, subject *policy.Subject) (map[string]policy.ImageFact, error) {
	if f == nil || !rules.Asks(policy.RuleSignatures) {
		return nil, nil
	}
	environment := rules.Environment().Name
	in := admission.Inspection{Environment: environment, Policies: f.policies[environment], Signatures: true}
	if f.pullSecrets {
		in.Access = admission.AccessOf(subject.Namespace, &subject.Spec)
	}
	answers, own := f.claim(in, subject)
	if in.References = own; len(own) > 0 {
		f.fill(ctx, in, answers)
	}
	facts := map[string]policy.ImageFact{}
	for reference, answer := range answers {
		select {
		case <-answer.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if answer.err != nil {
			return nil, answer.err
		}
		facts[reference] = answer.fact
	}
	return facts, nil
}

// claim returns the answers that there are or will be, by reference, and the references about which nobody asks yet:
// those are the caller's to fill.
func (f *Facts) claim(in admission.Inspection, subject *policy.Subject) (answers map[string]*answer, own []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	answers = map[string]*answer{}
	for _, slot := range subject.UnsettledImages() {
		question := asked{in.Environment, in.Access.Key(), slot.Image}
		if f.answers[question] == nil {
			f.answers[question] = &answer{done: make(chan struct{})}
			own = append(own, slot.Image)
		}
		answers[slot.Image] = f.answers[question]
	}
	return answers, own
}

// fill asks, and lets all know who wait.
func (f *Facts) fill(ctx context.Context, in admission.Inspection, answers map[string]*answer) {
	found, err := f.inspector.Facts(ctx, in)
	for _, reference := range in.References {
		answers[reference].fact, answers[reference].err = found[reference], err
		close(answers[reference].done)
	}
}
