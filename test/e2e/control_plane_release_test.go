//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// everyRule is an Environment with all rules on but signatures, for which there is no registry here.
func everyRule(name, more string) string {
	return fmt.Sprintf(`
apiVersion: rune.runeframeos.com/v1alpha1
kind: Environment
metadata: {name: %[1]s}
spec:
  namespaces: [%[1]s]
%[2]s
    images: {registries: [registry.example.com], denyTags: [latest], pin: Pods, volumes: Deny}
    podSecurity: {level: restricted, defaults: true}
    resources:
      require: [requests.cpu, requests.memory, limits.memory]
      max: {cpu: "1", memory: 1Gi}
      maxLimitRequestRatio: {memory: "1"}
      defaults: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 64Mi}}
    probes:
      require: [readiness]
      defaults: {readiness: {httpGet: {path: /health, port: 8080}}}
    availability: {minReplicas: 2, podDisruptionBudget: Required}
    serviceAccount: {token: DenyDefault}
    metadata: {labels: [{key: team, pattern: "[a-z]+"}]}
    access: {}
    custom:
    - {name: one-container, expression: "size(template.spec.containers) == 1", message: pods have one container here}
  delivery:
    canary: {steps: [{setWeight: 50}, {pause: 1s}]}
    deadline: 10m
`, name, more)
}

// lean is a Deployment that leaves to the environment what the environment fills in.
const lean = `
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, team: shop}}
    spec:
      automountServiceAccountToken: false
      containers:
      - name: web
        image: registry.example.com/web@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        ports: [{containerPort: 8080}]
`

// TestControlPlaneReleaseUnderEveryRule: promotion, canary and rollback where every rule is on, among them such as
// fill in what a template leaves open, which must never come between a template and its approval.
func TestControlPlaneReleaseUnderEveryRule(t *testing.T) {
	h := shared
	h.crds(t)
	h.process(t)
	h.user(t, "alice", "rune-releaser", "rune-viewer", "rune-deployer")
	h.user(t, "bob", "rune-viewer", "rune-approver")
	h.user(t, "mallory", "rune-releaser", "rune-viewer")
	const staging, production = "cp-every-staging", "cp-every-production"
	h.open(t, everyRule(staging, "  rules:"),
		everyRule(production, "  promotesFrom: "+staging+"\n  rules:\n    approval: {minApprovals: 1, rollback: None}"))
	budget, _, _ := strings.Cut(lean, "---")
	h.apply(t, "admin", production, budget).want(t, 0)
	h.apply(t, "admin", staging, lean).want(t, 0)
	h.kubectl(t, "admin", "rollout", "status", "-n", staging, "deployment/web", "--timeout=60s").want(t, 0)

	t.Run("templates stay as written and pods are completed", func(t *testing.T) {
		if resources := h.get(t, "{.spec.template.spec.containers[0].resources}", "deployment", "web", "-n", staging); resources != "{}" {
			t.Errorf("the template's resources are %s", resources)
		}
		if limit := h.get(t, "{.items[0].spec.containers[0].resources.limits.memory}", "pods", "-n", staging); limit != "64Mi" {
			t.Errorf("a pod's memory limit is %q, want 64Mi", limit)
		}
	})
	t.Run("who may not deploy gets nowhere", func(t *testing.T) {
		h.rune(t, "mallory", "canary", "deployment/web", "-n", staging, "--image", "web="+secondImage).want(t, 4, "deploy")
	})
	t.Run("a promotion creates the workload once somebody else approved", func(t *testing.T) {
		h.rune(t, "alice", "promote", "deployment/web", "--to", production).want(t, 3, "web-1")
		h.rune(t, "bob", "approve", "release/web-1", "-n", production).want(t, 0)
		h.rune(t, "alice", "resume", "release/web-1", "-n", production).want(t, 0)
		h.kubectl(t, "admin", "rollout", "status", "-n", production, "deployment/web", "--timeout=60s").want(t, 0)
	})
	t.Run("a canary starts smaller than the minimum and finishes by adoption", func(t *testing.T) {
		h.rune(t, "alice", "canary", "deployment/web", "-n", staging, "--image", "web="+secondImage).want(t, 0)
		assertOnlyDeployment(t, h, staging)
		h.rune(t, "alice", "canary", "deployment/web", "-n", production, "--image", "web="+secondImage).want(t, 3, "web-2")
		h.rune(t, "bob", "approve", "release/web-2", "-n", production).want(t, 0)
		h.rune(t, "alice", "resume", "deployment/web", "-n", production).want(t, 0)
		assertOnlyDeployment(t, h, production)
	})
	t.Run("a rollback needs nobody where the environment says so", func(t *testing.T) {
		h.rune(t, "alice", "rollback", "deployment/web", "-n", production, "--yes").want(t, 0)
		if image := h.get(t, "{.spec.template.spec.containers[0].image}", "deployment", "web", "-n", production); !strings.Contains(image, "aaaa") {
			t.Errorf("after the rollback the image is %s", image)
		}
		assertOnlyDeployment(t, h, production)
	})
	t.Run("a change that breaks a rule is refused before anything moves", func(t *testing.T) {
		h.rune(t, "alice", "canary", "deployment/web", "-n", staging, "--image", "web=evil.example/web@sha256:"+strings.Repeat("c", 64)).
			want(t, 4, "registries")
		assertOnlyDeployment(t, h, staging)
	})
}
