package namespace

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// production asks for everything.
const production = `
metadata: {name: production}
spec:
  namespaces: [shop]
  rules: {podSecurity: {level: baseline, version: v1.30}}
  namespaceSettings:
    resourceQuota: {hard: {requests.cpu: "10", pods: "50"}}
    limitRange:
      default: {memory: 512Mi}
      defaultRequest: {memory: 256Mi}
      max: {memory: 8Gi}
      min: {memory: 16Mi}
    networkPolicy: {defaultDeny: [Ingress, Egress], allowDNS: true}
    podSecurityLabels: true
`

func read[T any](t *testing.T, document string) *T {
	t.Helper()
	object := new(T)
	if err := yaml.UnmarshalStrict([]byte(document), object); err != nil {
		t.Fatal(err)
	}
	return object
}

// told is the rule and text of each violation.
func told(verdict policy.Verdict) []string {
	var lines []string
	for _, violation := range verdict.Violations {
		lines = append(lines, violation.String())
	}
	return lines
}

func compare(t *testing.T, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("violations differ (-want +got):\n%s", diff)
	}
}

// apply is the namespace as `kubectl rune env apply` leaves it.
func apply(t *testing.T, environment *v1alpha1.Environment) State {
	t.Helper()
	objects, err := Objects(environment, "shop")
	if err != nil {
		t.Fatal(err)
	}
	state := State{Labels: Labels(environment, nil)}
	for _, object := range objects {
		var target any
		switch object.GetKind() {
		case "ResourceQuota":
			state.ResourceQuotas = append(state.ResourceQuotas, corev1.ResourceQuota{})
			target = &state.ResourceQuotas[len(state.ResourceQuotas)-1]
		case "LimitRange":
			state.LimitRanges = append(state.LimitRanges, corev1.LimitRange{})
			target = &state.LimitRanges[len(state.LimitRanges)-1]
		case "NetworkPolicy":
			state.NetworkPolicies = append(state.NetworkPolicies, networkingv1.NetworkPolicy{})
			target = &state.NetworkPolicies[len(state.NetworkPolicies)-1]
		default:
			t.Fatalf("unexpected object %s", object.GetKind())
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, target, true); err != nil {
			t.Fatal(err)
		}
	}
	return state
}

func TestWhatIsAppliedSatisfiesTheJudgement(t *testing.T) {
	environment := read[v1alpha1.Environment](t, production)
	compare(t, nil, told(Judge(environment, apply(t, environment))))
}

func TestAnEmptyNamespaceLacksEverything(t *testing.T) {
	environment := read[v1alpha1.Environment](t, production)
	compare(t, []string{
		`no LimitRange has default.memory for containers, it must be at most 512Mi  [limitRange]`,
		`no LimitRange has defaultRequest.memory for containers, it must be at least 256Mi  [limitRange]`,
		`no LimitRange has max.memory for containers, it must be at most 8Gi  [limitRange]`,
		`no LimitRange has min.memory for containers, it must be at least 16Mi  [limitRange]`,
		`no NetworkPolicy allows all pods egress to the cluster's DNS, UDP port 53 of pods k8s-app=kube-dns in namespace kube-system  [networkPolicy]`,
		`no NetworkPolicy denies egress of all pods by default  [networkPolicy]`,
		`no NetworkPolicy denies ingress of all pods by default  [networkPolicy]`,
		`no ResourceQuota bounds pods of the whole namespace, it must be at most 50  [resourceQuota]`,
		`no ResourceQuota bounds requests.cpu of the whole namespace, it must be at most 10  [resourceQuota]`,
		`metadata.labels[pod-security.kubernetes.io/audit]: label is not set, it must be "baseline" or stricter  [podSecurityLabels]`,
		`metadata.labels[pod-security.kubernetes.io/enforce]: label is not set, it must be "baseline" or stricter  [podSecurityLabels]`,
		`metadata.labels[pod-security.kubernetes.io/warn]: label is not set, it must be "baseline" or stricter  [podSecurityLabels]`,
	}, told(Judge(environment, State{})))
}

func TestWhatIsNotAskedIsNotJudged(t *testing.T) {
	for name, document := range map[string]string{
		"no settings at all":             `spec: {namespaces: [shop], rules: {podSecurity: {level: restricted}}}`,
		"labels without a rule":          `spec: {namespaceSettings: {podSecurityLabels: true}}`,
		"labels of the level privileged": `spec: {rules: {podSecurity: {level: privileged}}, namespaceSettings: {podSecurityLabels: true}}`,
		"an empty quota":                 `spec: {namespaceSettings: {resourceQuota: {hard: {}}}}`,
		"DNS where egress is not denied": `spec: {namespaceSettings: {networkPolicy: {defaultDeny: [], allowDNS: true}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			environment := read[v1alpha1.Environment](t, document)
			compare(t, nil, told(Judge(environment, State{})))
			if objects, err := Objects(environment, "shop"); err != nil || len(objects) > 0 || len(Labels(environment, nil)) > 0 {
				t.Errorf("objects %v (%v), labels %v, want none", objects, err, Labels(environment, nil))
			}
		})
	}
}

func TestUnreadRulesAreDeferred(t *testing.T) {
	environment := read[v1alpha1.Environment](t, production)
	verdict := Judge(environment, State{Unread: []policy.Rule{RuleResourceQuota, RuleLimitRange, RuleNetworkPolicy, RulePodSecurityLabels}})
	if len(verdict.Violations) != 0 || len(verdict.Deferred) != 4 {
		t.Errorf("violations %v, deferred %v", verdict.Violations, verdict.Deferred)
	}
}

func TestDegrees(t *testing.T) {
	environment := read[v1alpha1.Environment](t, `
spec:
  enforcement: Warn
  rules: {podSecurity: {level: restricted, enforcement: Audit}}
  namespaceSettings: {resourceQuota: {hard: {pods: "1"}}, podSecurityLabels: true}`)
	verdict := Judge(environment, State{})
	got := map[policy.Rule]v1alpha1.Enforcement{}
	for _, violation := range verdict.Violations {
		got[violation.Rule] = violation.Enforcement
	}
	want := map[policy.Rule]v1alpha1.Enforcement{RuleResourceQuota: v1alpha1.EnforcementWarn, RulePodSecurityLabels: v1alpha1.EnforcementAudit}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("degrees differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{
		"pod-security.kubernetes.io/audit": "restricted", "pod-security.kubernetes.io/audit-version": "latest",
	}, Labels(environment, nil)); diff != "" {
		t.Errorf("labels differ (-want +got):\n%s", diff)
	}
}

func TestOwnObjectsAreLabelledAndCarryNoStatus(t *testing.T) {
	objects, err := Objects(read[v1alpha1.Environment](t, production), "shop")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, object := range objects {
		names = append(names, object.GetKind()+"/"+object.GetName())
		if diff := cmp.Diff(OwnLabels(), object.GetLabels()); diff != "" {
			t.Errorf("labels of %s differ (-want +got):\n%s", object.GetName(), diff)
		}
		if _, has := object.Object["status"]; has || object.GetNamespace() != "shop" {
			t.Errorf("%s: namespace %q, status %v", object.GetName(), object.GetNamespace(), has)
		}
		if stamp := object.GetCreationTimestamp(); stamp != (metav1.Time{}) {
			t.Errorf("%s has a creation time", object.GetName())
		}
	}
	compare(t, []string{
		"ResourceQuota/rune", "LimitRange/rune", "NetworkPolicy/rune-default-deny-egress",
		"NetworkPolicy/rune-default-deny-ingress", "NetworkPolicy/rune-allow-dns",
	}, names)
}
