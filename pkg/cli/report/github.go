package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// writeGitHub writes workflow commands; see "Workflow commands for GitHub Actions" of GitHub's documentation. What is
// exempted is no annotation.
func writeGitHub(w io.Writer, r *Report) error {
	var text strings.Builder
	for _, problem := range r.Problems {
		annotate(&text, "error", &problem.Source, problem.Source.Line, problem.Column, "unreadable", problem.Message)
	}
	for i := range r.Results {
		result := &r.Results[i]
		for _, finding := range result.Findings() {
			if finding.Exemption != "" {
				continue
			}
			message := result.Object.String() + ": " + finding.Message
			if finding.Field != "" {
				message = result.Object.String() + ": " + finding.Field + ": " + finding.Message
			}
			annotate(&text, githubCommand(finding.Enforcement), result.Source, finding.Line, finding.Column, "rune: "+string(finding.Rule), message)
		}
	}
	for _, skipped := range r.Skipped {
		line := 0
		if skipped.Source != nil {
			line = skipped.Source.Line
		}
		annotate(&text, "notice", skipped.Source, line, 0, "rune: skipped", skipped.Object.String()+": "+skipped.Reason)
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func githubCommand(enforcement v1alpha1.Enforcement) string {
	switch enforcement {
	case v1alpha1.EnforcementWarn:
		return "warning"
	case v1alpha1.EnforcementAudit:
		return "notice"
	}
	return "error"
}

func annotate(text *strings.Builder, command string, source *Source, line, column int, heading, message string) {
	var properties []string
	if source != nil {
		properties = append(properties, "file="+githubProperty(source.File))
		if line > 0 {
			properties = append(properties, fmt.Sprintf("line=%d", line))
		}
		if line > 0 && column > 0 {
			properties = append(properties, fmt.Sprintf("col=%d", column))
		}
	}
	properties = append(properties, "title="+githubProperty(heading))
	fmt.Fprintf(text, "::%s %s::%s\n", command, strings.Join(properties, ","), githubData(message))
}

// githubData and githubProperty escape as actions/toolkit does, whose command.ts is the only definition.
func githubData(text string) string {
	return Plain(strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(text))
}

func githubProperty(text string) string {
	return Plain(strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(text))
}
