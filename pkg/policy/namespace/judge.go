package namespace

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// The ids under which findings about a namespace are reported.
const (
	RuleResourceQuota     policy.Rule = "resourceQuota"
	RuleLimitRange        policy.Rule = "limitRange"
	RuleNetworkPolicy     policy.Rule = "networkPolicy"
	RulePodSecurityLabels policy.Rule = "podSecurityLabels"
)

// State is what a namespace holds.
type State struct {
	Labels          map[string]string
	ResourceQuotas  []corev1.ResourceQuota
	LimitRanges     []corev1.LimitRange
	NetworkPolicies []networkingv1.NetworkPolicy
	// Unread are rules whose objects could not be read. They are listed as deferred, never passed silently.
	Unread []policy.Rule
}

// Asks tells whether an Environment wants anything of its namespaces.
func Asks(environment *v1alpha1.Environment) bool {
	settings := environment.Spec.NamespaceSettings
	return len(rules(environment)) > 0 || (settings != nil && settings.PullSecrets)
}

// rule is one part of the settings: its degree and its judgement.
type rule struct {
	id          policy.Rule
	enforcement v1alpha1.Enforcement
	judge       func(State) []policy.Violation
}

// rules lists what an Environment asks of its namespaces.
func rules(environment *v1alpha1.Environment) []rule {
	settings := environment.Spec.NamespaceSettings
	if settings == nil {
		return nil
	}
	enforcement := environment.Spec.Enforcement
	if enforcement == "" {
		enforcement = v1alpha1.EnforcementEnforce
	}
	var asked []rule
	if quota := settings.ResourceQuota; quota != nil && len(quota.Hard) > 0 {
		asked = append(asked, rule{RuleResourceQuota, enforcement, func(s State) []policy.Violation {
			return judgeQuotas(quota.Hard, s.ResourceQuotas)
		}})
	}
	if limits := settings.LimitRange; limits != nil {
		asked = append(asked, rule{RuleLimitRange, enforcement, func(s State) []policy.Violation {
			return judgeLimitRanges(limits, s.LimitRanges)
		}})
	}
	if network := settings.NetworkPolicy; network != nil {
		asked = append(asked, rule{RuleNetworkPolicy, enforcement, func(s State) []policy.Violation {
			return judgeNetworkPolicies(network, s.NetworkPolicies)
		}})
	}
	if wanted := wantedSecurity(environment); wanted != nil {
		asked = append(asked, rule{RulePodSecurityLabels, wanted.enforcement, func(s State) []policy.Violation {
			return wanted.judge(s.Labels)
		}})
	}
	return asked
}

// Judge tells what a namespace of an Environment lacks, or holds in a weaker form.
func Judge(environment *v1alpha1.Environment, state State) policy.Verdict {
	var violations []policy.Violation
	var deferred []policy.Rule
	for _, asked := range rules(environment) {
		if slices.Contains(state.Unread, asked.id) {
			deferred = append(deferred, asked.id)
			continue
		}
		for _, violation := range asked.judge(state) {
			violation.Rule, violation.Enforcement = asked.id, asked.enforcement
			violations = append(violations, violation)
		}
	}
	verdict := policy.NewVerdict(violations...)
	verdict.Deferred = deferred
	return verdict
}
