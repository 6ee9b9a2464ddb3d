package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Format is a way to write a Report.
type Format string

// The formats.
const (
	// Table is for people.
	Table Format = "table"
	// JSON and YAML hold all that a Report does, as an object with apiVersion and kind.
	JSON Format = "json"
	YAML Format = "yaml"
	// SARIF is the Static Analysis Results Interchange Format 2.1.0, which code review tools read.
	SARIF Format = "sarif"
	// JUnit is the XML that CI servers show as test results.
	JUnit Format = "junit"
	// GitHub is one workflow command for each violation, which GitHub shows beside the line.
	GitHub Format = "github"
)

// Formats lists all.
func Formats() []string {
	return []string{string(Table), string(JSON), string(YAML), string(SARIF), string(JUnit), string(GitHub)}
}

// Validate refuses unknown formats.
func (f Format) Validate() error {
	if slices.Contains(Formats(), string(f)) {
		return nil
	}
	return fmt.Errorf("-o %s is unknown: write one of %s", string(f), strings.Join(Formats(), ", "))
}

// Write writes a report. The version is that of the program, for the formats that name their tool.
func (f Format) Write(w io.Writer, r *Report, version string) error {
	var err error
	switch f {
	case JSON, YAML:
		err = writeStructured(w, r, f)
	case SARIF:
		err = writeSARIF(w, r, version)
	case JUnit:
		err = writeJUnit(w, r)
	case GitHub:
		err = writeGitHub(w, r)
	default:
		err = writeTable(w, r)
	}
	if err != nil {
		return fmt.Errorf("writing the report as %s: %w", f, err)
	}
	return nil
}
