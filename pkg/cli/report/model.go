package report

import (
	"slices"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// Object names what was judged.
type Object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
}

// String is KIND/NAME.
func (o Object) String() string { return o.Kind + "/" + o.Name }

// Source is where an object was read.
type Source struct {
	// File as people name it: relative to the working directory where it lies below it, "-" for the
	// standard input.
	File string `json:"file"`
	// Line on which the object begins, 1 for the first; 0 where no line can be told.
	Line int `json:"line,omitempty"`
}

// Invalid is a field that an API server would refuse, whatever the rules say.
type Invalid struct {
	// Field is the path from the object's root; empty for the object.
	Field string
	// Message says what is wrong, without the field.
	Message string
	// Tolerated tells that the field is only warned of.
	Tolerated bool
}

// Result is what was found of one object.
type Result struct {
	Object Object
	// Environment whose rules it was judged by.
	Environment string
	// Source is nil for live objects.
	Source *Source
	// Invalid fields; the verdict was told all the same.
	Invalid []Invalid
	Verdict policy.Verdict
	// Position returns where a field of the object stands in the source, 1 for the first line and column; of an
	// absent field the nearest parent that exists. It is nil for live objects.
	Position func(field string) (line, column int)
	// Pods that share the verdict, of a live workload; 0 for files.
	Pods int
	// Err tells why the object could not be judged.
	Err error
}

// Skipped is an object with pods that no rules were asked for.
type Skipped struct {
	Object Object
	// Source is nil for live objects.
	Source *Source
	// Reason in words: "in no environment".
	Reason string
}

// Problem is a source, or a place in it, that could not be read.
type Problem struct {
	Source Source
	// Column, 1 for the first; 0 where none can be told.
	Column int
	// Message says what is wrong, without the place.
	Message string
}

// Help is what a report tells people about a rule.
type Help struct {
	// Title is one line.
	Title string
	// Text says what the rule asks for.
	Text string
	// Fix says what to change.
	Fix string
	// URI of the full description; may be empty.
	URI string
}

// Report is what was found of all objects.
type Report struct {
	// Problems are sources that could not be read, in the order in which they are written.
	Problems []Problem
	// Results in the order in which they are written.
	Results []Result
	// Skipped objects, in the order in which they are written.
	Skipped []Skipped
	// NotJudged counts the objects that hold no pods.
	NotJudged int
	// Files that were read; 0 for a cluster.
	Files int
	// Help by rule; a rule may have none.
	Help map[policy.Rule]Help
}

// Finding is one line of a report.
type Finding struct {
	Rule        policy.Rule
	Field       string
	Message     string
	Enforcement v1alpha1.Enforcement
	// Exemption that lifts the violation; empty where none does.
	Exemption string
	// Line and Column of the field in the result's source; 0 where there is none.
	Line, Column int
}

// Rules under which a report tells of what no rule of an environment is about.
const (
	// RuleSchema is the pseudo-rule of invalid fields.
	RuleSchema policy.Rule = "schema"
	// RuleUnreadable is the pseudo-rule of objects that could not be judged.
	RuleUnreadable policy.Rule = "unreadable"
)

// Findings of a result: the reason why it could not be judged, invalid fields and violations; then what is
// exempted. Those of a file stand in the order of its lines.
func (r *Result) Findings() []Finding {
	var findings []Finding
	add := func(finding Finding) {
		finding.Line, finding.Column = r.at(finding.Field)
		findings = append(findings, finding)
	}
	if r.Err != nil {
		add(Finding{Rule: RuleUnreadable, Message: r.Err.Error(), Enforcement: v1alpha1.EnforcementEnforce})
	}
	for _, invalid := range r.Invalid {
		finding := Finding{Rule: RuleSchema, Field: invalid.Field, Message: invalid.Message, Enforcement: v1alpha1.EnforcementEnforce}
		if invalid.Tolerated {
			finding.Enforcement = v1alpha1.EnforcementWarn
		}
		add(finding)
	}
	for _, violation := range r.Verdict.Violations {
		add(ofViolation(violation))
	}
	slices.SortStableFunc(findings, func(a, b Finding) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	for _, exempted := range r.Verdict.Exempted {
		finding := ofViolation(exempted.Violation)
		finding.Exemption = exempted.Exemption
		add(finding)
	}
	return findings
}

// at returns where a field stands in the source, zeros where there is none.
func (r *Result) at(field string) (line, column int) {
	switch {
	case r.Position != nil:
		return r.Position(field)
	case r.Source != nil:
		return r.Source.Line, 0
	}
	return 0, 0
}

func ofViolation(violation policy.Violation) Finding {
	return Finding{Rule: violation.Rule, Field: violation.Field, Message: violation.Message, Enforcement: degree(violation)}
}

// degree spells out the enforcement of a violation: what is no weaker degree denies.
func degree(violation policy.Violation) v1alpha1.Enforcement {
	if violation.Denies() {
		return v1alpha1.EnforcementEnforce
	}
	return violation.Enforcement
}

// Deferred returns the rules that some result was not judged by, sorted.
func (r *Report) Deferred() []policy.Rule {
	var rules []policy.Rule
	for i := range r.Results {
		rules = append(rules, r.Results[i].Verdict.Deferred...)
	}
	slices.Sort(rules)
	return slices.Compact(rules)
}

// Environments that results were judged by, sorted.
func (r *Report) Environments() []string {
	var names []string
	for i := range r.Results {
		if name := r.Results[i].Environment; name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Broken tells whether something could not be read or judged, or is invalid.
func (r *Report) Broken() bool {
	return len(r.Problems) > 0 || slices.ContainsFunc(r.Results, func(result Result) bool {
		return result.Err != nil || slices.ContainsFunc(result.Invalid, func(invalid Invalid) bool { return !invalid.Tolerated })
	})
}

// Fails tells whether a violation is of a degree or a stronger one.
func (r *Report) Fails(threshold v1alpha1.Enforcement) bool {
	for i := range r.Results {
		for _, violation := range r.Results[i].Verdict.Violations {
			if policy.Weaker(degree(violation), threshold) == threshold {
				return true
			}
		}
	}
	return false
}
