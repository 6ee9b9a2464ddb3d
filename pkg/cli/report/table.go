package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// tableWidth is the number of columns that text is wrapped at.
const tableWidth = 100

// headings of the table; the first column is left out where nothing was read from files.
func headings() []string { return []string{"FILE:LINE", "ENFORCEMENT", "RULE", "FIELD"} }

// writeTable writes one block for each object that has findings: its name, and below it two lines for each
// finding, where and what. Fields and messages are too long to stand side by side.
func writeTable(w io.Writer, r *Report) error {
	t := newTable(r)
	var text strings.Builder
	if len(t.blocks) > 0 {
		text.WriteString(t.line(headings()))
	}
	for _, block := range t.blocks {
		text.WriteString("\n" + block.title + "\n")
		for _, row := range block.rows {
			text.WriteString(t.line(row.cells))
			for _, line := range wrap(row.message, tableWidth-6) {
				text.WriteString("      " + line + "\n")
			}
		}
	}
	writeFixes(&text, r)
	writeSkipped(&text, r.Skipped)
	_, err := io.WriteString(w, text.String())
	return err
}

// table is a report laid out.
type table struct {
	blocks []block
	widths []int
	files  bool
}

// block is an object with its findings.
type block struct {
	title string
	rows  []row
}

type row struct {
	cells   []string
	message string
}

func newTable(r *Report) *table {
	t := &table{files: slices.ContainsFunc(r.Results, func(result Result) bool { return result.Source != nil })}
	t.measure(headings())
	for i := range r.Results {
		result := &r.Results[i]
		findings := result.Findings()
		if len(findings) == 0 {
			continue
		}
		b := block{title: Plain(title(result))}
		for _, finding := range findings {
			cells := []string{place(result.Source, finding.Line, finding.Column), string(finding.Enforcement), string(finding.Rule), finding.Field}
			message := finding.Message
			if finding.Exemption != "" {
				cells[1] = "Exempt"
				message += fmt.Sprintf(" (lifted by Exemption %q)", finding.Exemption)
			}
			for i := range cells {
				cells[i] = Plain(cells[i])
			}
			t.measure(cells)
			b.rows = append(b.rows, row{cells: cells, message: message})
		}
		t.blocks = append(t.blocks, b)
	}
	return t
}

func (t *table) measure(cells []string) {
	if t.widths == nil {
		t.widths = make([]int, len(cells))
	}
	for i, cell := range cells {
		t.widths[i] = max(t.widths[i], utf8.RuneCountInString(cell))
	}
}

// line puts cells below each other. The last one is not padded.
func (t *table) line(cells []string) string {
	var text strings.Builder
	for i, cell := range cells {
		if i == 0 && !t.files {
			continue
		}
		text.WriteString("  " + cell + strings.Repeat(" ", t.widths[i]-utf8.RuneCountInString(cell)))
	}
	return strings.TrimRight(text.String(), " ") + "\n"
}

func title(result *Result) string {
	text := result.Object.String()
	if result.Object.Namespace != "" {
		text += fmt.Sprintf(" in namespace %q", result.Object.Namespace)
	}
	if result.Environment != "" {
		text += fmt.Sprintf(", environment %q", result.Environment)
	}
	if result.Pods > 0 {
		text += ", " + count(result.Pods, "pod")
	}
	return text
}

// place is FILE:LINE:COLUMN, as far as it is known; editors and terminals open it.
func place(source *Source, line, column int) string {
	switch {
	case source == nil:
		return ""
	case line == 0:
		return source.File
	case column == 0:
		return fmt.Sprintf("%s:%d", source.File, line)
	}
	return fmt.Sprintf("%s:%d:%d", source.File, line, column)
}

// writeFixes tells once for each rule that is violated what to change.
func writeFixes(text *strings.Builder, r *Report) {
	var rules []policy.Rule
	for i := range r.Results {
		rules = append(rules, r.Results[i].Verdict.Rules()...)
	}
	slices.Sort(rules)
	heading := "\nHOW TO FIX\n"
	for _, rule := range slices.Compact(rules) {
		fix := r.help(rule).Fix
		if fix == "" {
			continue
		}
		text.WriteString(heading)
		heading = ""
		for i, line := range wrap(string(rule)+": "+fix, tableWidth-4) {
			if i > 0 {
				line = "  " + line
			}
			text.WriteString("  " + line + "\n")
		}
	}
}

func writeSkipped(text *strings.Builder, skipped []Skipped) {
	if len(skipped) == 0 {
		return
	}
	text.WriteString("\nSKIPPED\n")
	for _, s := range skipped {
		where := ""
		if s.Source != nil {
			where = place(s.Source, s.Source.Line, 0) + "  "
		}
		text.WriteString(Plain(fmt.Sprintf("  %s%s: %s", where, s.Object, s.Reason)) + "\n")
	}
}

// wrap breaks text at spaces into lines of at most width columns; words that are longer stay whole.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += Plain(word)
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
