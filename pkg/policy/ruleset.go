package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// Input is one question: may the subject enter the environment, given these facts?
type Input struct {
	Subject *Subject
	Facts   Facts
	// Deferred are rules that the asker cannot judge, because they are about a request and not about an object
	// (approval, access) or need what is out of reach. They are listed in the verdict instead.
	Deferred []Rule
	// Arriving says that the object has not passed the mutating side of admission yet, as a file in `kubectl rune
	// check`. A Pod is then judged with the defaults that it will get, and an image that has only a tag as one that
	// will be pinned. The pod templates of workloads are judged with the defaults always.
	Arriving bool
	// Limit bounds how many violations of one rule and degree the verdict holds; 0 is no bound. The verdict's outcome
	// does not depend on it.
	Limit int
	// Environment is the name of the environment; Ruleset.Evaluate sets it.
	Environment string
	// Rules of the environment; Ruleset.Evaluate sets them.
	Rules v1alpha1.Rules
	// Enforcement of the rule that is being judged; Ruleset.Evaluate sets it.
	Enforcement v1alpha1.Enforcement
}

// Ruleset is an Environment made ready to judge by. It is immutable and safe for concurrent use.
type Ruleset struct {
	environment *v1alpha1.Environment
	checks      []asked
	kinds       map[schema.GroupKind][]string
	completer   *completer
	strictest   v1alpha1.Enforcement
}

// asked is a check that the environment has.
type asked struct {
	id          Rule
	enforcement v1alpha1.Enforcement
	judge       Judge
}

// Compile prepares an Environment, which must not be changed afterwards. Its error names every rule that cannot be read.
func (c *Compiler) Compile(environment *v1alpha1.Environment) (*Ruleset, error) {
	r := &Ruleset{environment: environment, kinds: map[schema.GroupKind][]string{}, strictest: c.Strictest(environment)}
	for _, kind := range environment.Spec.WorkloadKinds {
		r.kinds[schema.GroupKind{Group: kind.Group, Kind: kind.Kind}] = strings.Split(kind.TemplatePath, ".")
	}
	rules := environment.Spec.Rules
	var errs []error
	var err error
	if r.completer, err = newCompleter(rules); err != nil {
		errs = append(errs, fmt.Errorf("compiling the defaults of Environment %q: %w", environment.Name, err))
	}
	for _, check := range c.checks {
		if !check.Asked(rules) {
			continue
		}
		judge, err := check.Compile(rules)
		if err != nil {
			errs = append(errs, fmt.Errorf("compiling rule %s of Environment %q: %w", check.ID, environment.Name, err))
			continue
		}
		enforcement := environment.Spec.Enforcement
		if own := check.Enforcement(rules); own != "" {
			enforcement = own
		}
		if enforcement == "" {
			enforcement = v1alpha1.EnforcementEnforce
		}
		r.checks = append(r.checks, asked{id: check.ID, enforcement: enforcement, judge: judge})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return r, nil
}

// Strictest returns the strictest degree that an Environment or any rule of it names. It does not ask whether
// the rules can be compiled: what nobody could judge is answered in this degree.
func (c *Compiler) Strictest(environment *v1alpha1.Environment) v1alpha1.Enforcement {
	rules := environment.Spec.Rules
	degrees := []v1alpha1.Enforcement{environment.Spec.Enforcement}
	for _, check := range c.checks {
		if check.Asked(rules) {
			degrees = append(degrees, check.Enforcement(rules))
		}
	}
	for i := range rules.Custom {
		degrees = append(degrees, rules.Custom[i].Enforcement)
	}
	// An empty degree of the environment is Enforce; that of a rule is the environment's.
	if degrees[0] == "" || slices.Contains(degrees, v1alpha1.EnforcementEnforce) {
		return v1alpha1.EnforcementEnforce
	}
	strictest := v1alpha1.EnforcementAudit
	for _, degree := range degrees {
		switch degree {
		case "", v1alpha1.EnforcementAudit:
		case v1alpha1.EnforcementWarn:
			strictest = v1alpha1.EnforcementWarn
		default: // no degree at all: a typing error opens nothing
			return v1alpha1.EnforcementEnforce
		}
	}
	return strictest
}

// Environment that the Ruleset was compiled from.
func (r *Ruleset) Environment() *v1alpha1.Environment { return r.environment }

// Asks tells whether the environment has a rule.
func (r *Ruleset) Asks(rule Rule) bool {
	return slices.ContainsFunc(r.checks, func(check asked) bool { return check.id == rule })
}

// Covers tells whether objects of a kind have pods to judge here: built-in ones and those that the
// environment declares.
func (r *Ruleset) Covers(kind schema.GroupKind) bool {
	_, declared := r.kinds[kind]
	return declared || Covers(kind)
}

// NewSubject reads the subject out of an object of a covered kind; see the function NewSubject.
func (r *Ruleset) NewSubject(kind schema.GroupKind, object []byte) (*Subject, error) {
	if path, declared := r.kinds[kind]; declared && !Covers(kind) {
		return newSubject(kind, path, object)
	}
	return NewSubject(kind, object)
}

// Evaluate asks every check that the environment has. A pod template, and a Pod that is arriving, is judged as
// Complete returns it.
func (r *Ruleset) Evaluate(in Input) Verdict {
	in.Rules, in.Environment = r.environment.Spec.Rules, r.environment.Name
	if in.Arriving || !in.Subject.IsPod() {
		completion, err := r.Complete(in.Subject)
		if err != nil {
			return NewVerdict(Violation{Rule: RuleCompletion, Field: in.Subject.Field("spec"), Message: "cannot be judged: " + err.Error(), Enforcement: r.strictest})
		}
		in.Subject = completion.Subject
	}
	kept := keeper{limit: in.Limit}
	var deferred []Rule
	for _, check := range r.checks {
		if slices.Contains(in.Deferred, check.id) {
			deferred = append(deferred, check.id)
			continue
		}
		in.Enforcement = check.enforcement
		for _, violation := range check.judge(in) {
			if violation.Enforcement == "" {
				violation.Enforcement = check.enforcement
			}
			kept.add(violation)
		}
	}
	violations, exempted := lift(in, kept.violations)
	verdict := NewVerdict(violations...)
	slices.Sort(deferred)
	verdict.Exempted, verdict.Deferred, verdict.Omitted = exempted, deferred, kept.omitted
	return verdict
}

// keeper holds the violations of one judgement, of each rule and degree at most limit. What an Exemption lifts it
// lifts by the rule, so that what is left out changes no outcome.
type keeper struct {
	limit      int
	violations []Violation
	omitted    int
	counts     map[keptOf]int
}

type keptOf struct {
	rule        Rule
	enforcement v1alpha1.Enforcement
}

func (k *keeper) add(violation Violation) {
	if k.limit > 0 {
		of := keptOf{violation.Rule, violation.Enforcement}
		if k.counts[of] >= k.limit {
			k.omitted++
			return
		}
		if k.counts == nil {
			k.counts = map[keptOf]int{}
		}
		k.counts[of]++
	}
	k.violations = append(k.violations, violation)
}
