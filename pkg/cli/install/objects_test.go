package install

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	psaapi "k8s.io/pod-security-admission/api"
	psapolicy "k8s.io/pod-security-admission/policy"
)

func objects(t *testing.T, settings Settings) []*unstructured.Unstructured {
	t.Helper()
	all, err := Objects(settings)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// find converts the one object of a kind and name strictly, so that a misspelt field is found.
func find(t *testing.T, all []*unstructured.Unstructured, kind, name string, into any) {
	t.Helper()
	for _, object := range all {
		if object.GetKind() == kind && object.GetName() == name {
			if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, into, true); err != nil {
				t.Fatalf("%s %q: %v", kind, name, err)
			}
			return
		}
	}
	t.Fatalf("no %s %q", kind, name)
}

func TestObjectsComeInAnOrderThatCanBeApplied(t *testing.T) {
	seen := map[string]bool{}
	for i, object := range objects(t, Settings{}) {
		kind := object.GetKind()
		if kind == "CustomResourceDefinition" && i > 4 {
			t.Errorf("%s comes as number %d", TypeName(object), i)
		}
		if ns := object.GetNamespace(); ns != "" && !seen["Namespace"] {
			t.Errorf("%s comes before its namespace", TypeName(object))
		}
		if kind == "Deployment" && (!seen["ServiceAccount"] || !seen["RoleBinding"] || !seen["ClusterRoleBinding"]) {
			t.Error("the Deployment comes before its rights")
		}
		if labels := object.GetLabels(); kind != "CustomResourceDefinition" && labels["app.kubernetes.io/part-of"] != "rune" {
			t.Errorf("%s has labels %v", TypeName(object), labels)
		}
		seen[kind] = true
	}
}

func TestSettingsReachTheDeployment(t *testing.T) {
	deployment := &appsv1.Deployment{}
	find(t, objects(t, Settings{Image: "registry.example/hook:v9", Replicas: 5}), "Deployment", Name, deployment)
	if *deployment.Spec.Replicas != 5 || deployment.Spec.Template.Spec.Containers[0].Image != "registry.example/hook:v9" {
		t.Errorf("%d replicas of %q", *deployment.Spec.Replicas, deployment.Spec.Template.Spec.Containers[0].Image)
	}
	find(t, objects(t, Settings{}), "Deployment", Name, deployment)
	if *deployment.Spec.Replicas != 2 {
		t.Errorf("%d replicas by default", *deployment.Spec.Replicas)
	}
}

func TestWebhookKeepsTheRulesThatItAsksOfOthers(t *testing.T) {
	all := objects(t, Settings{})
	deployment := &appsv1.Deployment{}
	find(t, all, "Deployment", Name, deployment)
	template := deployment.Spec.Template
	evaluator, err := psapolicy.NewEvaluator(psapolicy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := psaapi.LevelVersion{Level: psaapi.LevelRestricted, Version: psaapi.LatestVersion()}
	if result := psapolicy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec)); !result.Allowed {
		t.Errorf("not restricted: %s", result.ForbiddenDetail())
	}
	c := template.Spec.Containers[0]
	if !*c.SecurityContext.ReadOnlyRootFilesystem || *template.Spec.SecurityContext.RunAsUser != 65532 {
		t.Error("not a read-only root filesystem or not user 65532")
	}
	if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
		t.Errorf("resources %v", c.Resources)
	}
	if c.ReadinessProbe == nil || c.LivenessProbe == nil {
		t.Error("a probe is missing")
	}
	system := &corev1.Namespace{}
	find(t, all, "Namespace", "rune-system", system)
	if system.Labels["pod-security.kubernetes.io/enforce"] != "restricted" {
		t.Errorf("labels %v", system.Labels)
	}
}

func TestWebhookChangesNothingOfTheUsers(t *testing.T) {
	role := &rbacv1.ClusterRole{}
	find(t, objects(t, Settings{}), "ClusterRole", Name, role)
	for _, rule := range role.Rules {
		for _, verb := range rule.Verbs {
			reads := slices.Contains([]string{"get", "list", "watch"}, verb)
			asks := verb == "create" && slices.Equal(rule.Resources, []string{"subjectaccessreviews"})
			tells := slices.Contains([]string{"create", "patch"}, verb) && slices.Equal(rule.Resources, []string{"events"})
			if !reads && !asks && !tells {
				t.Errorf("%s %v", verb, rule.Resources)
			}
		}
		if slices.Contains(rule.Resources, "secrets") || slices.Contains(rule.Resources, "*") {
			t.Errorf("cluster-wide %v", rule.Resources)
		}
	}
	registration := &rbacv1.ClusterRole{}
	find(t, objects(t, Settings{}), "ClusterRole", "rune-webhook-registration", registration)
	for _, rule := range registration.Rules {
		if slices.Equal(rule.Verbs, []string{"create"}) || slices.Equal(rule.Resources, []string{"environments/status"}) {
			continue
		}
		if !slices.Equal(rule.ResourceNames, []string{Name}) {
			t.Errorf("%v %v of any name", rule.Verbs, rule.Resources)
		}
	}
}

// The rules of an aggregated role belong to the controller that adds them up: installing again must not empty it.
func TestRightsOnDeclaredKindsAreAddedByOthers(t *testing.T) {
	for _, object := range objects(t, Settings{}) {
		if object.GetName() != "rune-webhook-declared-kinds" || object.GetKind() != "ClusterRole" {
			continue
		}
		if _, found := object.Object["rules"]; found {
			t.Error("it has rules of its own")
		}
		role := &rbacv1.ClusterRole{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, role); err != nil {
			t.Fatal(err)
		}
		if role.AggregationRule == nil || role.AggregationRule.ClusterRoleSelectors[0].MatchLabels["rune.runeframeos.com/aggregate-to-webhook"] != "true" {
			t.Errorf("aggregation %+v", role.AggregationRule)
		}
		return
	}
	t.Error("there is no such ClusterRole")
}

func TestPeopleGetNoMoreThanTheyNeed(t *testing.T) {
	all := objects(t, Settings{})
	grants := func(name, group, resource, verb string) bool {
		role := &rbacv1.ClusterRole{}
		find(t, all, "ClusterRole", name, role)
		return slices.ContainsFunc(role.Rules, func(rule rbacv1.PolicyRule) bool {
			return slices.Contains(rule.APIGroups, group) && slices.Contains(rule.Resources, resource) && slices.Contains(rule.Verbs, verb)
		})
	}
	const rune = "rune.runeframeos.com"
	for what, want := range map[string]bool{
		"rune-releaser/releases/create":       true,
		"rune-releaser/releases/delete":       false,
		"rune-releaser/releases/status/patch": true,
		"rune-releaser/approvals/create":      false,
		"rune-releaser/environments/approve":  false,
		"rune-approver/approvals/create":      true,
		"rune-approver/environments/approve":  true,
		"rune-approver/releases/create":       false,
		"rune-releaser/exemptions/list":       true,
		"rune-releaser/exemptions/create":     false,
		"rune-releaser/environments/deploy":   false,
		"rune-deployer/environments/deploy":   true,
		"rune-deployer/environments/update":   false,
		"rune-approver/environments/exempt":   false,
		"rune-approver/exemptions/list":       true,
		"rune-exempter/exemptions/create":     true,
		"rune-exempter/exemptions/delete":     true,
		"rune-exempter/exemptions/update":     false,
		"rune-exempter/environments/exempt":   true,
		"rune-exempter/environments/approve":  false,
		"rune-viewer/exemptions/list":         true,
		"rune-viewer/exemptions/create":       false,
		"rune-viewer/releases/list":           true,
		"rune-viewer/releases/create":         false,
		"rune-viewer/approvals/create":        false,
	} {
		parts := strings.Split(what, "/")
		name, verb := parts[0], parts[len(parts)-1]
		resource := strings.Join(parts[1:len(parts)-1], "/")
		if got := grants(name, rune, resource, verb); got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
}

func TestImageBelongsToTheVersion(t *testing.T) {
	for version, want := range map[string]string{
		"v0.1.0": "ghcr.io/runeframeos/rune-webhook:v0.1.0", "v0.1.0-3-gabcdef-dirty": "ghcr.io/runeframeos/rune-webhook:v0.1.0-3-gabcdef-dirty",
		"(devel)": "", "unknown": "", "v1.0.0+meta": "", "": "",
	} {
		got, err := imageOf(version)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", version, got, err)
		}
		if err != nil && !strings.Contains(err.Error(), "--image") {
			t.Errorf("%q: %v", version, err)
		}
	}
}
