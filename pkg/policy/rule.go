package policy

import "github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"

// Rule is the id of a check, as it stands in messages, audit annotations, reports and Exemptions.
type Rule string

// The checks.
const (
	RuleRegistries          Rule = "registries"
	RuleTags                Rule = "tags"
	RulePin                 Rule = "pin"
	RuleImageVolumes        Rule = "imageVolumes"
	RuleSignatures          Rule = "signatures"
	RulePodSecurity         Rule = "podSecurity"
	RuleResources           Rule = "resources"
	RuleProbes              Rule = "probes"
	RuleReplicas            Rule = "replicas"
	RulePodDisruptionBudget Rule = "podDisruptionBudget"
	RuleServiceAccountToken Rule = "serviceAccountToken"
	RuleLabels              Rule = "labels"
	RuleAnnotations         Rule = "annotations"
	RuleApproval            Rule = "approval"
	RuleAccess              Rule = "access"
	// RuleCompletion is no rule of an Environment: it says that an object could not be completed with the defaults
	// of the others, so that none of them could be judged. Nothing lifts it.
	RuleCompletion Rule = "completion"
	// RuleCustom is the check of all custom rules; each of them reports as CustomRule(its name).
	RuleCustom Rule = "custom"
)

// CustomRule is the id under which a custom rule reports: "custom/NAME".
func CustomRule(name string) Rule { return RuleCustom + "/" + Rule(name) }

// Weaker returns the one of two degrees that does less: Audit, Warn, Enforce. What is none of them counts as
// Enforce, so that a typing error opens nothing.
func Weaker(a, b v1alpha1.Enforcement) v1alpha1.Enforcement {
	for _, degree := range []v1alpha1.Enforcement{v1alpha1.EnforcementAudit, v1alpha1.EnforcementWarn} {
		if a == degree || b == degree {
			return degree
		}
	}
	return v1alpha1.EnforcementEnforce
}
