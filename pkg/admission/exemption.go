package admission

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// RuleExemption is the rule under which an Exemption is refused that cannot be stamped or sealed.
const RuleExemption policy.Rule = "exemption"

// defaultExemptionValidity is the CRD's default of rules.exemptions.maxValidity.
const defaultExemptionValidity = 720 * time.Hour

func exemptionKind() schema.GroupVersionKind {
	return v1alpha1.GroupVersion().WithKind(v1alpha1.KindExemption)
}

func readExemption(raw []byte) (*v1alpha1.Exemption, error) {
	e := &v1alpha1.Exemption{}
	if err := utiljson.Unmarshal(raw, e); err != nil {
		return nil, fmt.Errorf("reading Exemption: %w", err)
	}
	return e, nil
}

// exemptionSeal binds who lifted which rules for which workload and images, why and until when. The order in
// which rules and images are listed means nothing.
func exemptionSeal(key []byte, e *v1alpha1.Exemption) (string, error) {
	values := []string{
		v1alpha1.KindExemption, e.Namespace, e.Name, e.Spec.Environment, e.Spec.Workload.Kind, e.Spec.Workload.Name,
		e.Spec.Reason, e.Spec.ExpiresAt.UTC().Format(time.RFC3339), e.Spec.CreatedBy.Username, e.Spec.CreatedBy.UID,
	}
	rules := make([]string, len(e.Spec.Rules))
	for i, rule := range e.Spec.Rules {
		rules[i] = string(rule)
	}
	for _, list := range [][]string{rules, e.Spec.Images} {
		values = append(values, strconv.Itoa(len(list)))
		values = append(values, slices.Sorted(slices.Values(list))...)
	}
	return seal(key, values)
}

// exemptionSealed tells whether the webhook itself stamped an Exemption. Without a valid seal it lifts nothing.
func (j *Judge) exemptionSealed(ctx context.Context, e *v1alpha1.Exemption) (bool, error) {
	key, err := j.Keys.SealKey(ctx)
	if err != nil {
		return false, fmt.Errorf("reading the seal key: %w", err)
	}
	want, err := exemptionSeal(key, e)
	if err != nil {
		return false, err
	}
	return sealed(e.Spec.Seal, want), nil
}

// stampExemption writes who lifts rules, and in which environment; then the seal.
func (j *Judge) stampExemption(ctx context.Context, environment string, request *admissionv1.AdmissionRequest) (decision, error) {
	e, err := readExemption(request.Object.Raw)
	if err != nil {
		return decision{}, err
	}
	d := decision{judged: true, what: fmt.Sprintf("Exemption %q", e.Name)}
	violations, err := j.judgeExemption(ctx, environment, request, e)
	if err != nil || len(violations) > 0 {
		d.verdict = policy.NewVerdict(violations...)
		return d, err
	}
	key, err := j.Keys.SealKey(ctx)
	if err != nil {
		return d, fmt.Errorf("reading the seal key: %w", err)
	}
	had := e.Spec
	e.Namespace = request.Namespace
	e.Spec.CreatedBy, e.Spec.Environment = requester(request), environment
	if e.Spec.Seal, err = exemptionSeal(key, e); err != nil {
		return d, err
	}
	d.patch = addIfDifferent(d.patch, "/spec/createdBy", had.CreatedBy, e.Spec.CreatedBy)
	d.patch = addIfDifferent(d.patch, "/spec/environment", had.Environment, e.Spec.Environment)
	d.patch = addIfDifferent(d.patch, "/spec/seal", had.Seal, e.Spec.Seal)
	return d, nil
}

// judgeExemption says why an Exemption may not be created. The authorizer is asked last and every time.
func (j *Judge) judgeExemption(ctx context.Context, name string, request *admissionv1.AdmissionRequest, e *v1alpha1.Exemption) (violations []policy.Violation, err error) {
	refuse := func(field, format string, args ...any) {
		violations = append(violations, policy.Violation{Rule: RuleExemption, Field: field, Message: fmt.Sprintf(format, args...)})
	}
	environment, err := j.environment(ctx, name)
	if err != nil {
		return nil, err
	}
	if environment == nil {
		refuse("metadata.namespace", "environment %q does not exist: there is nothing to be exempt from", name)
		return violations, nil
	}
	if e.Name == "" {
		refuse("metadata.name", "an Exemption needs a name of its own, not generateName: its seal binds the name")
	}
	now := j.Clock.Now()
	longest := longestExemption(environment)
	switch end := e.Spec.ExpiresAt.Time; {
	case !end.After(now):
		refuse("spec.expiresAt", "%s is not in the future: it is %s now", end.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	case end.After(now.Add(longest)):
		refuse("spec.expiresAt", "%s is too far away: environment %q allows Exemptions for %s, until %s at most",
			end.UTC().Format(time.RFC3339), name, longest, now.Add(longest).UTC().Format(time.RFC3339))
	}
	if !canBeExempt(environment, e.Spec.Workload.Kind) {
		refuse("spec.workload.kind", "%q is no kind that is judged in environment %q: write it as in a manifest, such as Deployment", e.Spec.Workload.Kind, name)
	}
	if strings.TrimSpace(e.Spec.Reason) == "" {
		refuse("spec.reason", "must say why")
	}
	if len(e.Spec.Rules) == 0 {
		refuse("spec.rules", "must name the rules that are lifted")
	}
	for i, rule := range e.Spec.Rules {
		if why := notLiftable(environment, policy.Rule(rule)); why != "" {
			refuse(fmt.Sprintf("spec.rules[%d]", i), "%s", why)
		}
	}
	allowed, err := j.Access.Holds(ctx, request.UserInfo, v1alpha1.VerbExempt, name)
	if err != nil {
		return nil, fmt.Errorf("asking whether user %q may exempt in environment %q: %w", request.UserInfo.Username, name, err)
	}
	if !allowed {
		refuse("spec.createdBy", "user %q may not lift rules here: RBAC must grant the verb %q on environments.%s/%s",
			request.UserInfo.Username, v1alpha1.VerbExempt, v1alpha1.GroupName, name)
	}
	return violations, nil
}

// canBeExempt tells whether objects of a kind are judged in an environment.
func canBeExempt(environment *v1alpha1.Environment, kind string) bool {
	return namesBuiltIn(kind) || slices.ContainsFunc(environment.Spec.WorkloadKinds, func(declared v1alpha1.WorkloadKind) bool { return declared.Kind == kind })
}

func longestExemption(environment *v1alpha1.Environment) time.Duration {
	if rules := environment.Spec.Rules.Exemptions; rules != nil && rules.MaxValidity != nil {
		return rules.MaxValidity.Duration
	}
	return defaultExemptionValidity
}

// notLiftable says why no Exemption of an environment may name a rule; empty if it may.
func notLiftable(environment *v1alpha1.Environment, rule policy.Rule) string {
	if custom, is := strings.CutPrefix(string(rule), string(policy.CustomRule(""))); is {
		if slices.ContainsFunc(environment.Spec.Rules.Custom, func(r v1alpha1.CustomRule) bool { return r.Name == custom }) {
			return ""
		}
		return fmt.Sprintf("environment %q has no custom rule %q", environment.Name, custom)
	}
	switch rule {
	case policy.RuleApproval, policy.RuleAccess:
		return fmt.Sprintf("rule %q can be lifted by nobody", rule)
	case policy.RuleRegistries, policy.RuleTags, policy.RulePin, policy.RuleImageVolumes, policy.RuleSignatures, policy.RulePodSecurity,
		policy.RuleResources, policy.RuleProbes, policy.RuleReplicas, policy.RulePodDisruptionBudget, policy.RuleServiceAccountToken,
		policy.RuleLabels, policy.RuleAnnotations:
		return ""
	}
	return fmt.Sprintf("there is no rule %q", rule)
}

// validateExemption accepts a new Exemption only with the stamps of this very request, and no change of a spec.
func (j *Judge) validateExemption(ctx context.Context, environment string, request *admissionv1.AdmissionRequest) (decision, error) {
	if request.Operation == admissionv1.Update {
		return sameSpec(request, v1alpha1.KindExemption, RuleExemption)
	}
	e, err := readExemption(request.Object.Raw)
	if err != nil {
		return decision{}, err
	}
	d := decision{judged: true, what: fmt.Sprintf("Exemption %q", e.Name)}
	violations, err := j.judgeExemption(ctx, environment, request, e)
	if err != nil {
		return d, err
	}
	if len(violations) == 0 {
		violations, err = j.judgeExemptionStamps(ctx, environment, request, e)
	}
	d.verdict = policy.NewVerdict(violations...)
	return d, err
}

func (j *Judge) judgeExemptionStamps(ctx context.Context, environment string, request *admissionv1.AdmissionRequest, e *v1alpha1.Exemption) ([]policy.Violation, error) {
	var violations []policy.Violation
	refuse := func(field, message string) {
		violations = append(violations, policy.Violation{Rule: RuleExemption, Field: field, Message: message})
	}
	e.Namespace = request.Namespace
	if e.Spec.CreatedBy != requester(request) {
		refuse("spec.createdBy", fmt.Sprintf("must be the requesting user %q, which the webhook stamps", request.UserInfo.Username))
	}
	if e.Spec.Environment != environment {
		refuse("spec.environment", fmt.Sprintf("must be %q, which the webhook stamps", environment))
	}
	valid, err := j.exemptionSealed(ctx, e)
	if err == nil && !valid {
		refuse("spec.seal", "is not the seal of this Exemption: the mutating webhook did not stamp it")
	}
	return violations, err
}
