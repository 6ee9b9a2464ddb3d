package report

import (
	"fmt"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// Summary counts what a report holds.
type Summary struct {
	// Files that were read; absent for a cluster.
	Files int `json:"files,omitempty"`
	// Objects that were judged, and how many of them violate a rule, are invalid or could not be judged.
	Objects int `json:"objects"`
	Failing int `json:"failing"`
	// Violations by what they do to a request.
	Enforce int `json:"enforce"`
	Warn    int `json:"warn"`
	Audit   int `json:"audit"`
	// Exempted violations are in none of the counts above.
	Exempted int `json:"exempted"`
	// Invalid fields.
	Invalid int `json:"invalid"`
	// Unreadable counts objects that could not be judged; Problems counts files and places that could not be read.
	Unreadable int `json:"unreadable"`
	Problems   int `json:"problems"`
	// Skipped objects hold pods and are in no environment; NotJudged ones hold no pods.
	Skipped   int `json:"skipped"`
	NotJudged int `json:"notJudged"`
}

// Summary counts.
func (r *Report) Summary() Summary {
	s := Summary{Files: r.Files, Objects: len(r.Results), Skipped: len(r.Skipped), NotJudged: r.NotJudged, Problems: len(r.Problems)}
	for i := range r.Results {
		result := &r.Results[i]
		if result.Err != nil || len(result.Invalid)+len(result.Verdict.Violations) > 0 {
			s.Failing++
		}
		if result.Err != nil {
			s.Unreadable++
		}
		s.Invalid += len(result.Invalid)
		s.Exempted += len(result.Verdict.Exempted)
		for _, violation := range result.Verdict.Violations {
			switch degree(violation) {
			case v1alpha1.EnforcementWarn:
				s.Warn++
			case v1alpha1.EnforcementAudit:
				s.Audit++
			default:
				s.Enforce++
			}
		}
	}
	return s
}

// Line is the summary in one line: `checked 12 objects in 5 files for environment "production": 3 violations in
// 2 objects; judged at admission only: approval, signatures`. Verb is what was done to the objects: "checked".
func (r *Report) Line(verb string) string {
	s := r.Summary()
	text := verb + " " + count(s.Objects, "object")
	if s.Files > 0 {
		text += " in " + count(s.Files, "file")
	}
	if names := r.Environments(); len(names) > 0 {
		text += " for " + plural(len(names), "environment") + " " + quoted(names)
	}
	text += ": " + r.outcome(s)
	for _, part := range []struct {
		number int
		text   string
	}{
		{s.Exempted, "exempted: " + fmt.Sprint(s.Exempted)},
		{s.Skipped, "skipped: " + count(s.Skipped, "object")},
		{s.NotJudged, "without pods: " + count(s.NotJudged, "object")},
		{s.Problems, "not read: " + count(s.Problems, r.unit())},
	} {
		if part.number > 0 {
			text += "; " + part.text
		}
	}
	if deferred := r.Deferred(); len(deferred) > 0 {
		names := make([]string, len(deferred))
		for i, rule := range deferred {
			names[i] = string(rule)
		}
		text += "; judged at admission only: " + strings.Join(names, ", ")
	}
	return text
}

// unit is what could not be read: files, or lists of a cluster.
func (r *Report) unit() string {
	if r.Files > 0 {
		return "file"
	}
	return "list"
}

func (r *Report) outcome(s Summary) string {
	violations := s.Enforce + s.Warn + s.Audit
	text := "no violations"
	if violations > 0 {
		text = count(violations, "violation")
	}
	if soft := s.Warn + s.Audit; soft > 0 && s.Enforce == 0 {
		text += " (none denies)"
	} else if soft > 0 {
		text += fmt.Sprintf(" (%d of them deny)", s.Enforce)
	}
	if s.Invalid > 0 {
		text += ", " + count(s.Invalid, "invalid field")
	}
	if s.Unreadable > 0 {
		text += fmt.Sprintf(", %d that could not be judged", s.Unreadable)
	}
	if s.Failing > 0 {
		text += " in " + count(s.Failing, "object")
	}
	return text
}

func count(n int, noun string) string { return fmt.Sprintf("%d %s", n, plural(n, noun)) }

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

func quoted(names []string) string {
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(parts, ", ")
}
