package registries

import (
	"context"
	"maps"
	"slices"
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

	mu    sync.Mutex
	known map[known]policy.ImageFact
}

// known is what an answer depends on.
type known struct{ environment, access, reference string }

// NewFacts returns Facts that ask by all ImagePolicies there are. With pullSecrets the objects' own are used, as far as
// images was opened with a connection to read them.
func NewFacts(images admission.Images, policies []v1alpha1.ImagePolicy, clock clock.PassiveClock, pullSecrets bool) (*Facts, error) {
	inspector, err := admission.NewInspector(images, clock)
	if err != nil {
		return nil, err
	}
	f := &Facts{inspector: inspector, policies: map[string][]*v1alpha1.ImagePolicy{}, pullSecrets: pullSecrets, known: map[known]policy.ImageFact{}}
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
	facts := map[string]policy.ImageFact{}
	in.References = f.missing(in, subject, facts)
	found, err := f.inspector.Facts(ctx, in)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for reference, fact := range found {
		f.known[known{environment, in.Access.Key(), reference}] = fact
	}
	maps.Copy(facts, found)
	return facts, nil
}

// missing returns the references that were not asked about before, each once, and puts the others into facts.
func (f *Facts) missing(in admission.Inspection, subject *policy.Subject, facts map[string]policy.ImageFact) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var references []string
	for _, slot := range subject.UnsettledImages() {
		fact, answered := f.known[known{in.Environment, in.Access.Key(), slot.Image}]
		switch {
		case answered:
			facts[slot.Image] = fact
		case !slices.Contains(references, slot.Image):
			references = append(references, slot.Image)
		}
	}
	return references
}
