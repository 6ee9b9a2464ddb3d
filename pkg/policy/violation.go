package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// Violation is one way in which an object breaks a rule.
type Violation struct {
	Rule Rule `json:"rule"`
	// Field is the path of the offending field from the object's root: "spec.template.spec.containers[0].image".
	Field string `json:"field"`
	// Message says what is wrong and what would be right, without rule and field.
	Message string `json:"message"`
	// Enforcement is what the violation does to a request: that of the rule, else of the environment.
	Enforcement v1alpha1.Enforcement `json:"enforcement,omitempty"`
}

// String is the line that a person reads.
func (v Violation) String() string {
	if v.Field == "" {
		return fmt.Sprintf("%s  [%s]", v.Message, v.Rule)
	}
	return fmt.Sprintf("%s: %s  [%s]", v.Field, v.Message, v.Rule)
}

// Denies tells whether the violation refuses a request.
func (v Violation) Denies() bool {
	return v.Enforcement != v1alpha1.EnforcementWarn && v.Enforcement != v1alpha1.EnforcementAudit
}

// Exempted is a violation that an Exemption lifts.
type Exempted struct {
	Violation
	// Exemption is its name, in the namespace of the object.
	Exemption string `json:"exemption"`
}

// Verdict is the outcome of all checks that an environment asks for.
type Verdict struct {
	// Violations sorted by field, rule and message, of all degrees of enforcement.
	Violations []Violation
	// Exempted violations, sorted likewise.
	Exempted []Exempted
	// Omitted counts violations that Input.Limit left out: each is of a rule and a degree of which others are there.
	Omitted int
	// Deferred are the rules that the environment has and that were not judged, sorted: they can be told at
	// admission only.
	Deferred []Rule
}

// NewVerdict sorts violations and drops those that say the same twice.
func NewVerdict(violations ...Violation) Verdict {
	sorted := slices.Clone(violations)
	slices.SortFunc(sorted, compareViolations)
	return Verdict{Violations: slices.Compact(sorted)}
}

func compareViolations(a, b Violation) int {
	return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Message, b.Message))
}

// Allowed tells whether nothing is violated that denies a request.
func (v Verdict) Allowed() bool { return !slices.ContainsFunc(v.Violations, Violation.Denies) }

// Denials returns the violations that deny a request.
func (v Verdict) Denials() []Violation {
	return v.filter(Violation.Denies)
}

// Degree returns the violations of one degree that does not deny.
func (v Verdict) Degree(enforcement v1alpha1.Enforcement) []Violation {
	return v.filter(func(violation Violation) bool { return violation.Enforcement == enforcement })
}

func (v Verdict) filter(keep func(Violation) bool) []Violation {
	var kept []Violation
	for _, violation := range v.Violations {
		if keep(violation) {
			kept = append(kept, violation)
		}
	}
	return kept
}

// Rules lists the rules that are violated, sorted, each once.
func (v Verdict) Rules() []Rule {
	var rules []Rule
	for _, violation := range v.Violations {
		rules = append(rules, violation.Rule)
	}
	slices.Sort(rules)
	return slices.Compact(rules)
}

// Message tells a person at once what denies, as much as a person reads. What names the object: `Deployment "web"`.
func (v Verdict) Message(environment, what string) string {
	denials := v.Denials()
	if len(denials) == 0 {
		return fmt.Sprintf("environment %q admits %s", environment, what)
	}
	return list(fmt.Sprintf("environment %q refuses %s", environment, what), denials, v.Omitted)
}

// Report tells what is violated, of any degree, for records.
func (v Verdict) Report(environment, what string) string {
	return list(fmt.Sprintf("%s breaks rules of environment %q", what, environment), v.Violations, v.Omitted)
}

// Bounds of what one answer tells. Whoever asks chooses how many containers an object has, so that without them a
// request of 300 KB would be answered by many megabytes.
const (
	maxTold        = 200
	maxToldMessage = 512 // bytes
)

// Told returns the violations that one answer tells, with their messages cut to what a person reads, and how many it
// leaves out.
func Told(violations []Violation) (told []Violation, left int) {
	count := min(len(violations), maxTold)
	told = slices.Clone(violations[:count])
	for i := range told {
		if message := told[i].Message; len(message) > maxToldMessage {
			told[i].Message = strings.ToValidUTF8(message[:maxToldMessage], "") + "…"
		}
	}
	return told, len(violations) - count
}

// list puts one violation on each line below a heading.
func list(heading string, violations []Violation, omitted int) string {
	told, left := Told(violations)
	noun := "violations"
	if len(violations)+omitted == 1 {
		noun = "violation"
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %d %s", heading, len(violations)+omitted, noun)
	for _, violation := range told {
		text.WriteString("\n  " + violation.String())
	}
	if left += omitted; left > 0 {
		fmt.Fprintf(&text, "\n  and %d more, which `kubectl rune check` lists", left)
	}
	return text.String()
}
