package policy

import (
	"fmt"
	"slices"
	"strings"

	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// podDisruptionBudgetCheck requires that evictions of a workload's pods are bounded and yet possible.
func podDisruptionBudgetCheck() Check {
	return Check{
		ID: RulePodDisruptionBudget,
		Asked: func(rules v1alpha1.Rules) bool {
			return rules.Availability != nil && rules.Availability.PodDisruptionBudget == v1alpha1.NecessityRequired
		},
		Enforcement: availabilityEnforcement,
		Doc:         podDisruptionBudgetDoc(),
		Compile: judged(func(in Input) []Violation {
			if !scales(in) {
				return nil
			}
			message := budgetMessage(in)
			if message == "" {
				return nil
			}
			return []Violation{{Rule: RulePodDisruptionBudget, Field: in.Subject.Field("metadata.labels"), Message: message}}
		}),
	}
}

// budgetMessage says what is wrong with the budgets of a workload; empty if nothing is.
func budgetMessage(in Input) string {
	budgets := budgetsOf(in)
	switch len(budgets) {
	case 0:
		return fmt.Sprintf("%s needs a PodDisruptionBudget in its namespace that selects its pods (%s)", in.Subject, shownLabels(in.Subject.Metadata.Labels))
	case 1:
	default:
		var names []string
		for _, budget := range budgets {
			names = append(names, fmt.Sprintf("%q", budget.Name))
		}
		slices.Sort(names)
		return fmt.Sprintf("%d PodDisruptionBudgets (%s) select the pods of %s, which the eviction API refuses: keep one", len(budgets), strings.Join(names, ", "), in.Subject)
	}
	size, err := sizeOf(in)
	if err != nil {
		return fmt.Sprintf("cannot be judged: %v", err)
	}
	if why := leavesNoRoom(budgets[0].Spec, int(size.replicas)); why != "" {
		return fmt.Sprintf("PodDisruptionBudget %q lets no pod of %s be evicted (%s), so that no node could be drained: set maxUnavailable: 1", budgets[0].Name, in.Subject, why)
	}
	return ""
}

// budgetsOf returns the PodDisruptionBudgets that select the pods of the subject. In policy/v1 an absent selector
// selects none, an empty one all.
func budgetsOf(in Input) []*policyv1.PodDisruptionBudget {
	if in.Facts.Surroundings == nil {
		return nil
	}
	var selecting []*policyv1.PodDisruptionBudget
	for i := range in.Facts.Surroundings.PodDisruptionBudgets {
		budget := &in.Facts.Surroundings.PodDisruptionBudgets[i]
		if !sameNamespace(budget.Namespace, in.Subject.Namespace) {
			continue
		}
		// A selector that cannot be read selects nothing; so does an absent one here.
		selector, err := metav1.LabelSelectorAsSelector(budget.Spec.Selector)
		if err == nil && selector.Matches(labels.Set(in.Subject.Metadata.Labels)) {
			selecting = append(selecting, budget)
		}
	}
	return selecting
}

// leavesNoRoom says why a budget allows no eviction of so many healthy pods; empty if it does. Shares of pods are
// rounded up, as the disruption controller does.
func leavesNoRoom(budget policyv1.PodDisruptionBudgetSpec, replicas int) string {
	switch {
	case budget.MaxUnavailable != nil:
		if room, err := intstr.GetScaledValueFromIntOrPercent(budget.MaxUnavailable, replicas, true); err != nil || room <= 0 {
			return "maxUnavailable: " + budget.MaxUnavailable.String()
		}
		return ""
	case budget.MinAvailable != nil:
		if needed, err := intstr.GetScaledValueFromIntOrPercent(budget.MinAvailable, replicas, true); err != nil || needed >= replicas {
			return fmt.Sprintf("minAvailable: %s of %d", budget.MinAvailable.String(), replicas)
		}
		return ""
	}
	return "it sets neither maxUnavailable nor minAvailable"
}

func shownLabels(set map[string]string) string {
	if len(set) == 0 {
		return "they have no labels"
	}
	return shortened(labels.Set(set).String())
}

func podDisruptionBudgetDoc() Doc {
	return Doc{
		Setting: "availability.podDisruptionBudget",
		Summary: "A PodDisruptionBudget bounds the evictions of each workload's pods, and leaves room for one.",
		Kinds:   "Deployment, StatefulSet",
		Allows:  "Workloads whose pods are selected by exactly one PodDisruptionBudget of the same namespace that lets at least one of them be evicted. The canary of a Release is not judged.",
		Denies: `Workloads without such a budget; two budgets that select the same pods, because the eviction API then refuses every eviction; and budgets that allow none:
` + "`maxUnavailable: 0`, `minAvailable: 100%`" + `, or a ` + "`minAvailable`" + ` that is (rounded up, as Kubernetes does) the number of replicas. Where a HorizontalPodAutoscaler targets the workload its ` + "`minReplicas`" + ` is that number.`,
		Fix:   "Create a PodDisruptionBudget with `maxUnavailable: 1` whose selector is that of the workload, before the workload: admission looks at what is in the cluster.",
		Notes: "`kubectl rune check` finds the budget among the files that it is given.",
		Example: `availability:
  podDisruptionBudget: Required
`,
	}
}
