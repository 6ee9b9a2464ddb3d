package policy

import (
	"fmt"

	psaapi "k8s.io/pod-security-admission/api"
	psapolicy "k8s.io/pod-security-admission/policy"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// podSecurityCheck requires a level of the Pod Security Standards.
func podSecurityCheck(evaluator psapolicy.Evaluator) Check {
	return Check{
		ID:          RulePodSecurity,
		Asked:       func(rules v1alpha1.Rules) bool { return rules.PodSecurity != nil },
		Enforcement: func(rules v1alpha1.Rules) v1alpha1.Enforcement { return rules.PodSecurity.Enforcement },
		Compile: judged(func(in Input) []Violation {
			level, err := levelVersion(*in.Rules.PodSecurity)
			field := in.Subject.Field("spec")
			if err != nil {
				// The API server's validation forbids such a rule; what slips by must not open the door.
				return []Violation{{Rule: RulePodSecurity, Field: field, Message: "cannot be judged: " + err.Error()}}
			}
			var violations []Violation
			for _, result := range evaluator.EvaluatePod(level, &in.Subject.Metadata, &in.Subject.Spec) {
				if result.Allowed {
					continue
				}
				message := fmt.Sprintf("violates Pod Security %q: %s", level.String(), result.ForbiddenReason)
				if result.ForbiddenDetail != "" {
					message += " (" + result.ForbiddenDetail + ")"
				}
				violations = append(violations, Violation{Rule: RulePodSecurity, Field: field, Message: message})
			}
			return violations
		}),
	}
}

func levelVersion(rules v1alpha1.PodSecurityRules) (psaapi.LevelVersion, error) {
	level, err := psaapi.ParseLevel(string(rules.Level))
	if err != nil {
		return psaapi.LevelVersion{}, fmt.Errorf("reading rules.podSecurity.level: %w", err)
	}
	text := rules.Version
	if text == "" {
		text = psaapi.VersionLatest
	}
	version, err := psaapi.ParseVersion(text)
	if err != nil {
		return psaapi.LevelVersion{}, fmt.Errorf("reading rules.podSecurity.version: %w", err)
	}
	return psaapi.LevelVersion{Level: level, Version: version}, nil
}
