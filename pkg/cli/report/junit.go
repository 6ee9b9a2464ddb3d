package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// The elements that CI servers agree on; there is no schema, the one of Apache Ant's JUnit task comes nearest.
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name      string        `xml:"name,attr"`
	ClassName string        `xml:"classname,attr"`
	File      string        `xml:"file,attr,omitempty"`
	Line      int           `xml:"line,attr,omitempty"`
	Failure   *junitOutcome `xml:"failure"`
	Error     *junitOutcome `xml:"error"`
	Skipped   *junitOutcome `xml:"skipped"`
	Output    string        `xml:"system-out,omitempty"`
}

type junitOutcome struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// writeJUnit writes a suite for each file (of live objects, for each namespace) and a case for each object. Violations that
// deny fail a case; weaker ones and exempted ones are its output.
func writeJUnit(w io.Writer, r *Report) error {
	all := &junitSuites{Name: "kubectl rune"}
	for _, problem := range r.Problems {
		all.add(problem.Source.File, junitCase{
			Name: "readable", ClassName: problem.Source.File, File: problem.Source.File, Line: problem.Source.Line,
			Error: &junitOutcome{Message: place(&problem.Source, problem.Source.Line, problem.Column) + ": " + problem.Message, Type: "unreadable"},
		})
	}
	for i := range r.Results {
		all.add(suiteOf(r.Results[i].Object, r.Results[i].Source), caseOf(&r.Results[i]))
	}
	for _, skipped := range r.Skipped {
		suite := suiteOf(skipped.Object, skipped.Source)
		c := newCase(suite, skipped.Object, skipped.Source)
		c.Skipped = &junitOutcome{Message: skipped.Reason}
		all.add(suite, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// add puts a case into the suite of a name, and counts it.
func (s *junitSuites) add(name string, c junitCase) {
	at := -1
	for i := range s.Suites {
		if s.Suites[i].Name == name {
			at = i
		}
	}
	if at < 0 {
		s.Suites = append(s.Suites, junitSuite{Name: name})
		at = len(s.Suites) - 1
	}
	suite := &s.Suites[at]
	suite.Cases = append(suite.Cases, c)
	suite.Tests++
	s.Tests++
	switch {
	case c.Error != nil:
		suite.Errors++
		s.Errors++
	case c.Failure != nil:
		suite.Failures++
		s.Failures++
	case c.Skipped != nil:
		suite.Skipped++
		s.Skipped++
	}
}

func suiteOf(object Object, source *Source) string {
	if source != nil {
		return source.File
	}
	if object.Namespace != "" {
		return object.Namespace
	}
	// CI servers refuse suites and classes without a name.
	return "cluster"
}

func newCase(suite string, object Object, source *Source) junitCase {
	c := junitCase{Name: object.String(), ClassName: suite}
	if object.Namespace != "" {
		c.Name = object.Namespace + "/" + c.Name
	}
	if source != nil {
		c.File, c.Line = source.File, source.Line
	}
	return c
}

func caseOf(result *Result) junitCase {
	c := newCase(suiteOf(result.Object, result.Source), result.Object, result.Source)
	var failed, noted []string
	denied := 0
	for _, finding := range result.Findings() {
		line := inOneLine(result.Source, finding)
		switch {
		case finding.Exemption != "":
			noted = append(noted, fmt.Sprintf("exempt by %s: %s", finding.Exemption, line))
		case githubCommand(finding.Enforcement) == "error":
			failed = append(failed, line)
			denied++
		default:
			noted = append(noted, fmt.Sprintf("%s: %s", strings.ToLower(string(finding.Enforcement)), line))
		}
	}
	outcome := &junitOutcome{Message: count(denied, "violation"), Type: "policy", Text: strings.Join(failed, "\n")}
	switch {
	case result.Err != nil:
		outcome.Message, outcome.Type = result.Err.Error(), string(RuleUnreadable)
		c.Error = outcome
	case denied > 0:
		c.Failure = outcome
	}
	c.Output = strings.Join(noted, "\n")
	return c
}

// inOneLine is FILE:LINE:COLUMN: FIELD: MESSAGE  [RULE], without what is not known.
func inOneLine(source *Source, finding Finding) string {
	text := ""
	for _, part := range []string{place(source, finding.Line, finding.Column), finding.Field} {
		if part != "" {
			text += part + ": "
		}
	}
	return fmt.Sprintf("%s%s  [%s]", text, finding.Message, finding.Rule)
}
