package policy_test

import (
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

func TestStrictest(t *testing.T) {
	const enforce, warn, audit = v1alpha1.EnforcementEnforce, v1alpha1.EnforcementWarn, v1alpha1.EnforcementAudit
	probes := func(degree v1alpha1.Enforcement) v1alpha1.Rules {
		return v1alpha1.Rules{Probes: &v1alpha1.ProbeRules{RuleEnforcement: v1alpha1.RuleEnforcement{Enforcement: degree}}}
	}
	custom := v1alpha1.Rules{Custom: []v1alpha1.CustomRule{{Name: "x", Expression: "no CEL(", RuleEnforcement: v1alpha1.RuleEnforcement{Enforcement: enforce}}}}
	tests := map[string]struct {
		environment v1alpha1.Enforcement
		rules       v1alpha1.Rules
		want        v1alpha1.Enforcement
	}{
		"nothing named":                              {want: enforce},
		"the environment alone":                      {environment: warn, want: warn},
		"a rule that is stricter":                    {environment: warn, rules: probes(enforce), want: enforce},
		"a rule that is weaker":                      {environment: warn, rules: probes(audit), want: warn},
		"a rule that names none":                     {environment: audit, rules: probes(""), want: audit},
		"a rule between":                             {environment: audit, rules: probes(warn), want: warn},
		"a custom rule, even one that is no CEL":     {environment: audit, rules: custom, want: enforce},
		"a weaker rule does not weaken the others":   {rules: probes(audit), want: enforce},
		"what is no degree at all counts as Enforce": {environment: audit, rules: probes("Wran"), want: enforce},
	}
	compiler, err := policy.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			environment := &v1alpha1.Environment{Spec: v1alpha1.EnvironmentSpec{Enforcement: tt.environment, Rules: tt.rules}}
			if got := compiler.Strictest(environment); got != tt.want {
				t.Errorf("Strictest = %q, want %q", got, tt.want)
			}
		})
	}
}
