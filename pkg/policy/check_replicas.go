package policy

import (
	"fmt"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// replicasCheck requires that a workload has more than so many pods.
func replicasCheck() Check {
	return Check{
		ID: RuleReplicas,
		Asked: func(rules v1alpha1.Rules) bool {
			return rules.Availability != nil && rules.Availability.MinReplicas > 0
		},
		Enforcement: availabilityEnforcement,
		Doc:         replicasDoc(),
		Compile: judged(func(in Input) []Violation {
			if !scales(in) {
				return nil
			}
			refuse := func(message string) []Violation {
				return []Violation{{Rule: RuleReplicas, Field: "spec.replicas", Message: message}}
			}
			size, err := sizeOf(in)
			least := in.Rules.Availability.MinReplicas
			switch {
			case err != nil:
				return refuse(fmt.Sprintf("cannot be judged: %v", err))
			case size.replicas >= least:
				return nil
			case size.autoscaler != "":
				return refuse(fmt.Sprintf("HorizontalPodAutoscaler %q lets %s shrink to %d, at least %d are required: raise its minReplicas", size.autoscaler, in.Subject, size.replicas, least))
			}
			return refuse(fmt.Sprintf("%s has replicas: %d, at least %d are required", in.Subject, size.replicas, least))
		}),
	}
}

func availabilityEnforcement(rules v1alpha1.Rules) v1alpha1.Enforcement {
	return rules.Availability.Enforcement
}

func replicasDoc() Doc {
	return Doc{
		Setting: "availability.minReplicas",
		Summary: "Workloads have at least so many pods.",
		Kinds:   "Deployment, StatefulSet",
		Allows:  "Deployments and StatefulSets whose `spec.replicas` is high enough. Where a HorizontalPodAutoscaler targets the workload its `minReplicas` counts instead. The canary of a Release starts small and is not judged.",
		Denies:  "Fewer. `spec.replicas` that is absent counts as 1, and so does an autoscaler's `minReplicas`; of several autoscalers the smallest counts.",
		Fix:     "Raise `spec.replicas`, or `minReplicas` of the autoscaler. `kubectl rune promote` sets both to what `spec.workload` of the Environment says.",
		Notes:   "A request that only scales is never judged, so that nobody is kept from shrinking a workload in an emergency; `kubectl rune audit` reports it.",
		Example: `availability:
  minReplicas: 3
`,
	}
}
