package audit

import (
	"github.com/runeframeos/kubectl-rune/pkg/cli/report"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/policy/namespace"
)

// help of all rules that an audit can report: those about objects with pods and those about namespaces.
func help() map[policy.Rule]report.Help {
	all := report.RuleHelp()
	add := func(rule policy.Rule, title, fix string) {
		all[rule] = report.Help{
			Title: title,
			Text:  "Namespaces hold what spec.namespaceSettings of their Environment asks for, whoever made it.",
			Fix:   fix,
		}
	}
	const apply = "`kubectl rune env apply ENVIRONMENT` adds it"
	add(namespace.RuleResourceQuota, "A ResourceQuota bounds the namespace.",
		apply+"; a larger quota of somebody else does no harm beside it.")
	add(namespace.RuleLimitRange, "A LimitRange gives containers defaults and bounds.",
		apply+"; where the message names a LimitRange with weaker defaults, change or delete that one.")
	add(namespace.RuleNetworkPolicy, "NetworkPolicies deny traffic by default.",
		apply+"; where the message names a policy that allows everything, delete that one.")
	add(namespace.RulePodSecurityLabels, "Pod Security labels stand behind the webhook.",
		apply+"; stricter labels stay as they are.")
	return all
}
