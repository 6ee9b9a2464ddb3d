package report

import (
	"encoding/json"
	"io"

	"sigs.k8s.io/yaml"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// Kind of a structured report; its apiVersion is that of Rune's objects.
const Kind = "Report"

// Document is a Report in JSON and YAML.
type Document struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Summary    Summary         `json:"summary"`
	Problems   []StatedProblem `json:"problems,omitempty"`
	Results    []StatedResult  `json:"results"`
	Skipped    []StatedSkipped `json:"skipped,omitempty"`
	Deferred   []policy.Rule   `json:"deferred,omitempty"`
}

// StatedProblem is a Problem of a Document.
type StatedProblem struct {
	Source  `json:",inline"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
}

// StatedResult is a Result of a Document.
type StatedResult struct {
	Object      Object  `json:"object"`
	Environment string  `json:"environment,omitempty"`
	Source      *Source `json:"source,omitempty"`
	Pods        int     `json:"pods,omitempty"`
	// Error says why the object could not be judged.
	Error string `json:"error,omitempty"`
	// Invalid fields, which an API server refuses.
	Invalid []StatedInvalid `json:"invalid,omitempty"`
	// Violations, sorted as policy.Verdict sorts them.
	Violations []StatedViolation `json:"violations"`
	// Exempted violations, sorted likewise.
	Exempted []StatedViolation `json:"exempted,omitempty"`
	// Deferred rules were not judged.
	Deferred []policy.Rule `json:"deferred,omitempty"`
}

// StatedInvalid is an invalid field of a Document.
type StatedInvalid struct {
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
	// Tolerated tells that the field is only warned of.
	Tolerated bool `json:"tolerated,omitempty"`
	Line      int  `json:"line,omitempty"`
	Column    int  `json:"column,omitempty"`
}

// StatedViolation is a violation of a Document.
type StatedViolation struct {
	policy.Violation `json:",inline"`
	// Exemption that lifts it; empty where none does.
	Exemption string `json:"exemption,omitempty"`
	Line      int    `json:"line,omitempty"`
	Column    int    `json:"column,omitempty"`
}

// StatedSkipped is a Skipped of a Document.
type StatedSkipped struct {
	Object Object  `json:"object"`
	Source *Source `json:"source,omitempty"`
	Reason string  `json:"reason"`
}

// Document states a report.
func (r *Report) Document() *Document {
	d := &Document{
		APIVersion: v1alpha1.GroupVersion().String(),
		Kind:       Kind,
		Summary:    r.Summary(),
		Results:    make([]StatedResult, 0, len(r.Results)),
		Deferred:   r.Deferred(),
	}
	for _, problem := range r.Problems {
		d.Problems = append(d.Problems, StatedProblem{Source: problem.Source, Column: problem.Column, Message: problem.Message})
	}
	for i := range r.Results {
		d.Results = append(d.Results, state(&r.Results[i]))
	}
	for _, skipped := range r.Skipped {
		d.Skipped = append(d.Skipped, StatedSkipped(skipped))
	}
	return d
}

func state(result *Result) StatedResult {
	stated := StatedResult{
		Object:      result.Object,
		Environment: result.Environment,
		Source:      result.Source,
		Pods:        result.Pods,
		Violations:  []StatedViolation{},
		Deferred:    result.Verdict.Deferred,
	}
	if result.Err != nil {
		stated.Error = result.Err.Error()
	}
	for _, invalid := range result.Invalid {
		line, column := result.at(invalid.Field)
		stated.Invalid = append(stated.Invalid, StatedInvalid{Field: invalid.Field, Message: invalid.Message, Tolerated: invalid.Tolerated, Line: line, Column: column})
	}
	for _, violation := range result.Verdict.Violations {
		stated.Violations = append(stated.Violations, result.state(violation, ""))
	}
	for _, exempted := range result.Verdict.Exempted {
		stated.Exempted = append(stated.Exempted, result.state(exempted.Violation, exempted.Exemption))
	}
	return stated
}

func (r *Result) state(violation policy.Violation, exemption string) StatedViolation {
	violation.Enforcement = degree(violation)
	line, column := r.at(violation.Field)
	return StatedViolation{Violation: violation, Exemption: exemption, Line: line, Column: column}
}

func writeStructured(w io.Writer, r *Report, format Format) error {
	raw, err := json.MarshalIndent(r.Document(), "", "    ")
	if err != nil {
		return err
	}
	raw = append(raw, '\n')
	if format == YAML {
		if raw, err = yaml.JSONToYAML(raw); err != nil {
			return err
		}
	}
	_, err = w.Write(raw)
	return err
}
