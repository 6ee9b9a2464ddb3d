package policy

import (
	"fmt"

	psapolicy "k8s.io/pod-security-admission/policy"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// Input is one question: may the subject enter an environment with these rules, given these facts?
type Input struct {
	Rules   v1alpha1.Rules
	Subject *Subject
	Facts   Facts
}

// Check is one rule.
type Check struct {
	ID Rule
	// Asked tells whether an environment has the rule.
	Asked func(v1alpha1.Rules) bool
	// Judge returns the violations, in any order.
	Judge func(Input) []Violation
}

// Checks returns all checks. The evaluator judges Pod Security Standards.
func Checks(podSecurity psapolicy.Evaluator) []Check {
	return []Check{
		approvalCheck(),
		pinCheck(),
		podSecurityCheck(podSecurity),
		resourcesCheck(),
		signaturesCheck(),
	}
}

// Evaluator judges by all checks. It is safe for concurrent use.
type Evaluator struct {
	checks []Check
}

// NewEvaluator returns an Evaluator; the tables of the Pod Security Standards are built here, once.
func NewEvaluator() (*Evaluator, error) {
	podSecurity, err := psapolicy.NewEvaluator(psapolicy.DefaultChecks(), nil)
	if err != nil {
		return nil, fmt.Errorf("preparing the Pod Security Standards: %w", err)
	}
	return &Evaluator{checks: Checks(podSecurity)}, nil
}

// Evaluate asks every check that the rules have.
func (e *Evaluator) Evaluate(in Input) Verdict {
	var violations []Violation
	for _, check := range e.checks {
		if check.Asked(in.Rules) {
			violations = append(violations, check.Judge(in)...)
		}
	}
	return NewVerdict(violations...)
}
