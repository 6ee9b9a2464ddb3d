package report_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/runeframeos/kubectl-rune/pkg/cli/report"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

func TestTextOfOthersSteersNoTerminalAndNoLog(t *testing.T) {
	const evil = "a\x1b[2J\n::error::forged\r\u009b31m\u202eb\u2028c"
	r := &report.Report{
		Results: []report.Result{{
			Object: report.Object{APIVersion: "v1", Kind: "Pod", Namespace: evil, Name: evil}, Environment: "production",
			Source:  &report.Source{File: evil, Line: 1},
			Verdict: policy.NewVerdict(policy.Violation{Rule: policy.RuleTags, Field: `spec["` + evil + `"]`, Message: "\n::error::" + evil}),
		}},
		Skipped: []report.Skipped{{Object: report.Object{Kind: evil, Name: evil}, Reason: evil}},
	}
	out := written(t, report.Table, r)
	for line := range strings.SplitSeq(out, "\n") {
		if strings.HasPrefix(line, "::") || strings.ContainsFunc(line, unicode.IsControl) || strings.ContainsAny(line, "\u202e\u2028") {
			t.Errorf("a line is not plain: %q", line)
		}
	}
	if !strings.Contains(out, `a\x1b[2J\x0a::error::forged\x0d\x9b31m\u202eb`) {
		t.Errorf("what was there is not told:\n%q", out)
	}
	for line := range strings.SplitSeq(strings.TrimSpace(written(t, report.GitHub, r)), "\n") {
		if strings.ContainsFunc(line, unicode.IsControl) || !strings.HasPrefix(line, "::error file=") && !strings.HasPrefix(line, "::notice title=rune") {
			t.Errorf("a forged annotation: %q", line)
		}
	}
}
