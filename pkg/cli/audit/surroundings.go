package audit

import (
	"context"
	"encoding/json"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/policy/namespace"
)

// whole reads a list that is small at once, from the API server's cache.
func whole[T any](ctx context.Context, client rest.Interface, apiPath, ns, resource string) ([]T, error) {
	answer := client.Get().AbsPath(apiPath, "namespaces", ns, resource).SetHeader("Accept", "application/json").
		Param("resourceVersion", "0").Do(ctx)
	// Error decodes what the API server says; Raw does not.
	if err := answer.Error(); err != nil {
		return nil, err
	}
	raw, err := answer.Raw()
	if err != nil {
		return nil, err
	}
	var list struct {
		Items []T `json:"items"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	return list.Items, nil
}

// surroundings reads what says how available workloads are, where a rule asks. Rules that cannot be judged
// without what could not be read are returned.
func (a *auditor) surroundings(ctx context.Context, rules *policy.Ruleset, ns string) (*policy.Surroundings, []policy.Rule, error) {
	if !rules.Asks(policy.RuleReplicas) && !rules.Asks(policy.RulePodDisruptionBudget) {
		return nil, nil, nil
	}
	s := &policy.Surroundings{}
	var unknown []policy.Rule
	budgets, err := whole[policyv1.PodDisruptionBudget](ctx, a.client, "/apis/policy/v1", ns, "poddisruptionbudgets")
	if err != nil {
		unknown = append(unknown, policy.RulePodDisruptionBudget)
	}
	if err := a.note(err, "poddisruptionbudgets.policy", ns); err != nil {
		return nil, nil, err
	}
	scalers, err := whole[autoscalingv2.HorizontalPodAutoscaler](ctx, a.client, "/apis/autoscaling/v2", ns, "horizontalpodautoscalers")
	if err != nil {
		// Both rules ask how many replicas there may be.
		unknown = []policy.Rule{policy.RulePodDisruptionBudget, policy.RuleReplicas}
	}
	if err := a.note(err, "horizontalpodautoscalers.autoscaling", ns); err != nil {
		return nil, nil, err
	}
	s.PodDisruptionBudgets, s.Autoscalers = budgets, scalers
	return s, unknown, nil
}

// state reads what a namespace holds, as far as its environment asks for it.
func (a *auditor) state(ctx context.Context, environment *v1alpha1.Environment, live *corev1.Namespace) (namespace.State, error) {
	state := namespace.State{Labels: live.Labels}
	settings := environment.Spec.NamespaceSettings
	if settings.ResourceQuota != nil {
		found, err := whole[corev1.ResourceQuota](ctx, a.client, "/api/v1", live.Name, "resourcequotas")
		state.ResourceQuotas = found
		if err := a.unread(&state, namespace.RuleResourceQuota, err, "resourcequotas", live.Name); err != nil {
			return state, err
		}
	}
	if settings.LimitRange != nil {
		found, err := whole[corev1.LimitRange](ctx, a.client, "/api/v1", live.Name, "limitranges")
		state.LimitRanges = found
		if err := a.unread(&state, namespace.RuleLimitRange, err, "limitranges", live.Name); err != nil {
			return state, err
		}
	}
	if settings.NetworkPolicy != nil {
		found, err := whole[networkingv1.NetworkPolicy](ctx, a.client, "/apis/networking.k8s.io/v1", live.Name, "networkpolicies")
		state.NetworkPolicies = found
		if err := a.unread(&state, namespace.RuleNetworkPolicy, err, "networkpolicies.networking.k8s.io", live.Name); err != nil {
			return state, err
		}
	}
	return state, nil
}

func (a *auditor) unread(state *namespace.State, rule policy.Rule, err error, resource, ns string) error {
	if err != nil {
		state.Unread = append(state.Unread, rule)
	}
	return a.note(err, resource, ns)
}

// exemptions of a namespace that carry a seal and the environment's name. Whether the seal is the webhook's
// cannot be told here: its key is a secret of the webhook.
func (a *auditor) exemptions(ctx context.Context, environment, ns string) ([]v1alpha1.Exemption, error) {
	path := "/apis/" + v1alpha1.GroupVersion().String()
	found, err := whole[v1alpha1.Exemption](ctx, a.client, path, ns, "exemptions")
	if apierrors.IsNotFound(err) {
		// The kind is not served, so there are none.
		return nil, nil
	}
	if err := a.note(err, "exemptions."+v1alpha1.GroupName, ns); err != nil {
		return nil, err
	}
	var sealed []v1alpha1.Exemption
	for i := range found {
		if found[i].Spec.Seal != "" && found[i].Spec.Environment == environment {
			sealed = append(sealed, found[i])
		}
	}
	return sealed, nil
}

// exemptionsFor picks those that name one of the objects: a workload, or a pod and the workload that it is of.
func exemptionsFor(all []v1alpha1.Exemption, named ...v1alpha1.ExemptedWorkload) []v1alpha1.Exemption {
	var picked []v1alpha1.Exemption
	for i := range all {
		for _, each := range named {
			if all[i].Spec.Workload == each {
				picked = append(picked, all[i])
				break
			}
		}
	}
	return picked
}

// runs tells whether a pod is to be judged. Pods that ended run nothing. Mirror pods, which a node makes of its own
// files, are judged like all others: no admission can keep them out, but they run, and anybody can write their
// annotation. The error tells that the status cannot be read.
func (i *item) runs() (bool, error) {
	if len(i.Status) == 0 {
		return true, nil
	}
	var status struct {
		Phase corev1.PodPhase `json:"phase"`
	}
	err := json.Unmarshal(i.Status, &status)
	return status.Phase != corev1.PodSucceeded && status.Phase != corev1.PodFailed, err
}

// finished tells whether a Job has ended, well or not. A status that cannot be read is that of one which has not.
func (i *item) finished() bool {
	var status struct {
		Conditions []batchv1.JobCondition `json:"conditions"`
	}
	if len(i.Status) == 0 || json.Unmarshal(i.Status, &status) != nil {
		return false
	}
	for _, condition := range status.Conditions {
		if (condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed) && condition.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}
