package report

import (
	"encoding/json"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// The parts of SARIF 2.1.0 (OASIS Standard, errata 01) that are written. Names are the standard's.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		ColumnKind  string            `json:"columnKind"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string      `json:"id"`
		ShortDescription *sarifText  `json:"shortDescription,omitempty"`
		FullDescription  *sarifText  `json:"fullDescription,omitempty"`
		Help             *sarifText  `json:"help,omitempty"`
		HelpURI          string      `json:"helpUri,omitempty"`
		Properties       *sarifProps `json:"properties,omitempty"`
	}
	sarifProps struct {
		Tags []string `json:"tags"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifInvocation struct {
		ExecutionSuccessful        bool                `json:"executionSuccessful"`
		ToolExecutionNotifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations,omitempty"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Status        string `json:"status"`
		Justification string `json:"justification"`
	}
	sarifLocation struct {
		Physical *sarifPhysical `json:"physicalLocation,omitempty"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn,omitempty"`
	}
	sarifLogical struct {
		FullyQualifiedName string `json:"fullyQualifiedName"`
		Kind               string `json:"kind"`
	}
)

// sarifSchema is where the standard itself keeps the schema.
const sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

// informationURI is the project's page.
const informationURI = "https://github.com/runeframeos/kubectl-rune"

func writeSARIF(w io.Writer, r *Report, version string) error {
	rules := violated(r)
	run := sarifRun{
		Tool: sarifTool{Driver: sarifDriver{
			Name: "kubectl-rune", Version: version, InformationURI: informationURI, Rules: sarifRules(r, rules),
		}},
		Invocations: []sarifInvocation{invocation(r)},
		ColumnKind:  "unicodeCodePoints",
		Results:     []sarifResult{},
	}
	for i := range r.Results {
		result := &r.Results[i]
		for _, finding := range result.Findings() {
			run.Results = append(run.Results, sarifOf(result, finding, slices.Index(rules, finding.Rule)))
		}
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(sarifLog{Schema: sarifSchema, Version: "2.1.0", Runs: []sarifRun{run}})
}

// violated lists the rules of all findings, sorted.
func violated(r *Report) []policy.Rule {
	var rules []policy.Rule
	for i := range r.Results {
		for _, finding := range r.Results[i].Findings() {
			rules = append(rules, finding.Rule)
		}
	}
	slices.Sort(rules)
	return slices.Compact(rules)
}

func sarifRules(r *Report, rules []policy.Rule) []sarifRule {
	stated := make([]sarifRule, 0, len(rules))
	for _, rule := range rules {
		known := r.help(rule)
		stated = append(stated, sarifRule{
			ID:               string(rule),
			ShortDescription: sarifTextOf(known.Title),
			FullDescription:  sarifTextOf(known.Text),
			Help:             sarifTextOf(known.Fix),
			HelpURI:          known.URI,
			Properties:       &sarifProps{Tags: []string{"kubernetes", "policy"}},
		})
	}
	return stated
}

func sarifTextOf(text string) *sarifText {
	if text == "" {
		return nil
	}
	return &sarifText{Text: text}
}

// invocation tells what could not be read and what was judged by no rules, so that no reader takes it for clean.
func invocation(r *Report) sarifInvocation {
	stated := sarifInvocation{ExecutionSuccessful: len(r.Problems) == 0}
	for i := range r.Problems {
		problem := &r.Problems[i]
		stated.ToolExecutionNotifications = append(stated.ToolExecutionNotifications, sarifNotification{
			Level:     "error",
			Message:   sarifText{Text: problem.Message},
			Locations: []sarifLocation{{Physical: physical(&problem.Source, problem.Source.Line, problem.Column)}},
		})
	}
	for i := range r.Skipped {
		skipped := &r.Skipped[i]
		line := 0
		if skipped.Source != nil {
			line = skipped.Source.Line
		}
		stated.ToolExecutionNotifications = append(stated.ToolExecutionNotifications, sarifNotification{
			Level:     "warning",
			Message:   sarifText{Text: skipped.Object.String() + " was judged by no rules: " + skipped.Reason},
			Locations: []sarifLocation{{Physical: physical(sourceOf(skipped.Object, skipped.Source), line, 0)}},
		})
	}
	return stated
}

// sourceOf is where an object was read; of a live one a name in the shape of a file's, since code scanning refuses
// results without a file.
func sourceOf(object Object, source *Source) *Source {
	if source != nil {
		return source
	}
	parts := []string{"cluster", object.Namespace, object.Kind, object.Name}
	return &Source{File: strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), "/")}
}

func sarifOf(result *Result, finding Finding, index int) sarifResult {
	name := result.Object.String()
	if result.Object.Namespace != "" {
		name = result.Object.Namespace + "/" + name
	}
	stated := sarifResult{
		RuleID:    string(finding.Rule),
		RuleIndex: index,
		Level:     sarifLevel(finding.Enforcement),
		Message:   sarifText{Text: result.Object.String() + ": " + finding.Message},
		Locations: []sarifLocation{{
			Physical: physical(sourceOf(result.Object, result.Source), finding.Line, finding.Column),
			Logical:  []sarifLogical{{FullyQualifiedName: strings.TrimSuffix(name+"#"+finding.Field, "#"), Kind: "object"}},
		}},
	}
	if finding.Exemption != "" {
		stated.Suppressions = []sarifSuppression{{Kind: "external", Status: "accepted", Justification: "Exemption " + finding.Exemption}}
	}
	return stated
}

func sarifLevel(enforcement v1alpha1.Enforcement) string {
	switch enforcement {
	case v1alpha1.EnforcementWarn:
		return "warning"
	case v1alpha1.EnforcementAudit:
		return "note"
	}
	return "error"
}

// physical is a place in a file, by a relative URI where the file's name is relative.
func physical(source *Source, line, column int) *sarifPhysical {
	uri := url.URL{Path: filepath.ToSlash(source.File)}
	if filepath.IsAbs(source.File) {
		uri.Scheme = "file"
	}
	stated := &sarifPhysical{Artifact: sarifArtifact{URI: uri.String()}}
	if line > 0 {
		stated.Region = &sarifRegion{StartLine: line, StartColumn: column}
	}
	return stated
}
