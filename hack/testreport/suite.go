package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// event is one line of `go test -json`; see `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// counts are ended tests, subtests included.
type counts struct {
	passed, failed, skipped int
}

func (c *counts) add(other counts) {
	c.passed += other.passed
	c.failed += other.failed
	c.skipped += other.skipped
}

// String is a closing line that people and CI systems read in any language.
func (c counts) String() string {
	line := fmt.Sprintf("%d passed, %d failed", c.passed, c.failed)
	if c.skipped > 0 {
		line += fmt.Sprintf(", %d skipped", c.skipped)
	}
	return line
}

// skip is one skipped test.
type skip struct {
	test, reason string
}

// suite is what one event file says.
type suite struct {
	name  string
	skips []skip
	counts
}

// readSuite reads a stream of events. A line that is no JSON is an error: half a file would hide
// half of the skips.
func readSuite(name string, r io.Reader) (*suite, error) {
	s := &suite{name: name}
	outputs := map[string][]string{}
	failures := map[string]int{}
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 16<<20)
	for line := 1; scanner.Scan(); line++ {
		var e event
		if err := json.Unmarshal(scanner.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("reading line %d of the events of suite %q: %w", line, name, err)
		}
		id := e.Package + "." + e.Test
		switch {
		case e.Action == "output":
			if e.Test != "" {
				outputs[id] = append(outputs[id], e.Output)
			}
		case e.Action == "fail" && (e.Test != "" || failures[e.Package] == 0):
			// A package that fails without a failed test did not build, or panicked.
			s.failed++
			failures[e.Package]++
		case e.Test == "":
		case e.Action == "pass":
			s.passed++
			delete(outputs, id)
		case e.Action == "skip":
			s.skipped++
			s.skips = append(s.skips, skip{test: id, reason: reason(outputs[id])})
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("reading the events of suite %q: %w", name, err)
	}
	slices.SortFunc(s.skips, func(a, b skip) int { return strings.Compare(a.test, b.test) })
	return s, nil
}

// reason is what the test printed, less the lines of the test runner itself.
func reason(output []string) string {
	var said []string
	for _, text := range output {
		text = strings.TrimSpace(text)
		if text == "" || strings.HasPrefix(text, "=== ") || strings.HasPrefix(text, "--- ") {
			continue
		}
		said = append(said, text)
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}

// problems are what a strict run does not accept, one line each.
func (s *suite) problems() []string {
	var problems []string
	for _, skip := range s.skips {
		problems = append(problems, fmt.Sprintf("suite %q skipped %s: %s", s.name, skip.test, skip.reason))
	}
	if s.passed+s.failed == 0 {
		problems = append(problems, fmt.Sprintf("suite %q ran no test", s.name))
	}
	return problems
}
