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
		Doc:         podSecurityDoc(),
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

func podSecurityDoc() Doc {
	return Doc{
		Setting: "podSecurity",
		Summary: "Pods keep a level of the Pod Security Standards.",
		Allows:  "Whatever Pod Security Admission allows at this level and version: the judgement is that of k8s.io/pod-security-admission. `baseline` keeps out known ways to take over a node, `restricted` is hardened, `privileged` allows all.",
		Denies:  "Pods, and pod templates, that the level forbids; the message lists the fields. Windows pods (`spec.os.name: windows`) are judged as upstream judges them: from version v1.25 the fields that only Linux has are not asked of them.",
		Fix: `Set what the message names. For ` + "`restricted`" + ` on Linux: ` + "`securityContext.runAsNonRoot: true`, `seccompProfile.type: RuntimeDefault`" + ` on the pod, and ` + "`allowPrivilegeEscalation: false`, `capabilities.drop: [ALL]`" + ` on every container.
Or let the environment fill in what is unset, with ` + "`defaults: true`" + `. See https://kubernetes.io/docs/concepts/security/pod-security-standards/.`,
		Notes: "Workloads are judged too, where Pod Security Admission only warns. Name a version to keep an upgrade of Rune from asking more than before.",
		Example: `podSecurity:
  level: restricted                 # privileged | baseline | restricted
  version: latest
  defaults: true
`,
	}
}
