package report

import (
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// documentation is the page that describes every rule, by its id.
const documentation = informationURI + "/blob/main/docs/policy.md"

// RuleHelp is what the rules say of themselves, and what a report says of its pseudo-rules.
func RuleHelp() map[policy.Rule]Help {
	help := map[policy.Rule]Help{
		RuleSchema: {
			Title: "Every field is one that Kubernetes knows.",
			Text:  "An API server refuses a manifest with a field that its kind does not have, or drops the field.",
			Fix:   "Compare the field with `kubectl explain KIND.FIELD`.",
		},
		RuleUnreadable: {
			Title: "Every object can be judged.",
			Text:  "What cannot be read cannot be judged, and admission would refuse it.",
			Fix:   "Mend what the message names.",
		},
	}
	for _, check := range policy.Checks(nil) {
		help[check.ID] = Help{
			Title: check.Doc.Summary,
			Text:  strings.TrimSpace(check.Doc.Denies),
			Fix:   strings.TrimSpace(check.Doc.Fix),
			URI:   documentation + "#" + strings.ToLower(string(check.ID)),
		}
	}
	return help
}

// help of a rule; every custom rule has that of custom.
func (r *Report) help(rule policy.Rule) Help {
	if strings.HasPrefix(string(rule), string(policy.RuleCustom)+"/") {
		rule = policy.RuleCustom
	}
	return r.Help[rule]
}
