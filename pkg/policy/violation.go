package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Rule is the id of a check, as it stands in messages, audit annotations and reports.
type Rule string

// The checks.
const (
	RulePin         Rule = "pin"
	RuleSignatures  Rule = "signatures"
	RulePodSecurity Rule = "podSecurity"
	RuleResources   Rule = "resources"
	RuleApproval    Rule = "approval"
)

// Violation is one way in which an object breaks a rule.
type Violation struct {
	Rule Rule `json:"rule"`
	// Field is the path of the offending field from the object's root: "spec.template.spec.containers[0].image".
	Field string `json:"field"`
	// Message says what is wrong and what would be right, without rule and field.
	Message string `json:"message"`
}

// String is the line that a person reads.
func (v Violation) String() string {
	if v.Field == "" {
		return fmt.Sprintf("%s  [%s]", v.Message, v.Rule)
	}
	return fmt.Sprintf("%s: %s  [%s]", v.Field, v.Message, v.Rule)
}

// Verdict is the outcome of all checks that an environment asks for.
type Verdict struct {
	// Violations sorted by field, rule and message; empty if the object may enter.
	Violations []Violation
}

// NewVerdict sorts violations and drops those that say the same twice.
func NewVerdict(violations ...Violation) Verdict {
	sorted := slices.Clone(violations)
	slices.SortFunc(sorted, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Message, b.Message))
	})
	return Verdict{Violations: slices.Compact(sorted)}
}

// Allowed tells whether nothing is violated.
func (v Verdict) Allowed() bool { return len(v.Violations) == 0 }

// Rules lists the rules that are violated, sorted, each once.
func (v Verdict) Rules() []Rule {
	var rules []Rule
	for _, violation := range v.Violations {
		rules = append(rules, violation.Rule)
	}
	slices.Sort(rules)
	return slices.Compact(rules)
}

// Message tells a person everything that is violated at once. What names the object:
// `Deployment "web"`.
func (v Verdict) Message(environment, what string) string {
	if v.Allowed() {
		return fmt.Sprintf("environment %q admits %s", environment, what)
	}
	noun := "violations"
	if len(v.Violations) == 1 {
		noun = "violation"
	}
	var text strings.Builder
	fmt.Fprintf(&text, "environment %q refuses %s: %d %s", environment, what, len(v.Violations), noun)
	for _, violation := range v.Violations {
		text.WriteString("\n  " + violation.String())
	}
	return text.String()
}
