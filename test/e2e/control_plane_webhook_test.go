//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// bare is an Environment whose rules need no registry.
func bare(name, rules string) string {
	return fmt.Sprintf(`
apiVersion: rune.runeframeos.com/v1alpha1
kind: Environment
metadata: {name: %[1]s}
spec:
  namespaces: [%[1]s]
  rules:
    resources: {require: [limits.memory]}
%[2]s
  delivery:
    canary: {steps: [{setWeight: 50}, {pause: 1s}]}
    deadline: 10m
`, name, rules)
}

// limited is a Deployment by digest that fits bare.
const limited = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.example.com/web@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        ports: [{containerPort: 8080}]
        resources: {limits: {memory: 64Mi}}
`

const secondImage = "registry.example.com/web@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

// tail returns the last lines of a text.
func tail(text string, count int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}

// open makes namespaces with an Environment each, for a webhook that runs already.
func (h *harness) open(t *testing.T, environments ...string) {
	t.Helper()
	for _, manifest := range environments {
		h.apply(t, "admin", "default", manifest).want(t, 0)
		name := strings.TrimSuffix(strings.Fields(manifest[strings.Index(manifest, "{name: ")+7:])[0], "}")
		h.remove(t, "environment", name)
		h.namespace(t, name)
		h.kubectl(t, "admin", "wait", "--for=condition=Enforced", "environment/"+name, "--timeout=60s").want(t, 0)
	}
}

// TestControlPlaneApproval: what approval asks for on a real API server, and what it leaves alone.
func TestControlPlaneApproval(t *testing.T) {
	h := shared
	h.crds(t)
	stop := h.process(t)
	h.user(t, "alice", "rune-releaser", "rune-viewer", "rune-approver")
	h.user(t, "bob", "rune-viewer", "rune-approver")
	h.user(t, "dave", "rune-viewer", "rune-releaser")
	const staging, production = "cp-staging", "cp-production"
	h.open(t, bare(staging, ""),
		strings.Replace(bare(production, "    approval: {minApprovals: 1}"), "spec:", "spec:\n  promotesFrom: "+staging, 1))
	h.apply(t, "admin", staging, limited).want(t, 0)
	h.kubectl(t, "admin", "rollout", "status", "-n", staging, "deployment/web", "--timeout=60s").want(t, 0)

	t.Run("a Deployment without an approved Release is refused", func(t *testing.T) {
		h.apply(t, "admin", production, limited).want(t, 1, "approv", "kubectl rune")
	})
	t.Run("a promotion waits for another person", func(t *testing.T) {
		h.rune(t, "alice", "promote", "deployment/web", "--to", production).want(t, 3, "web-1", "kubectl rune approve")
		if names := h.get(t, "{.items[*].metadata.name}", "deployments", "-n", production); names != "" {
			t.Errorf("before the approval there is Deployment %s", names)
		}
	})
	t.Run("the requester is who the API server says", func(t *testing.T) {
		if who := h.get(t, "{.spec.requestedBy.username}", "release", "web-1", "-n", production); who != "alice" {
			t.Errorf("requested by %q, want alice", who)
		}
	})
	t.Run("the requester cannot approve", func(t *testing.T) {
		h.rune(t, "alice", "approve", "release/web-1", "-n", production).want(t, 4, "alice")
	})
	t.Run("someone without the verb approve cannot approve", func(t *testing.T) {
		got := h.rune(t, "dave", "approve", "release/web-1", "-n", production)
		if got.code == 0 {
			t.Errorf("dave approved:\n%s", got)
		}
	})
	t.Run("an Approval in another's name is stamped with the true one", func(t *testing.T) {
		uid := h.get(t, "{.metadata.uid}", "release", "web-1", "-n", production)
		forged := fmt.Sprintf(`{"apiVersion":"rune.runeframeos.com/v1alpha1","kind":"Approval","metadata":{"name":"forged"},`+
			`"spec":{"release":{"name":"web-1","uid":%q},"approver":{"username":"bob"},"seal":"v1:00"}}`, uid)
		h.apply(t, "alice", production, forged).want(t, 1, "alice")
	})
	t.Run("with the approval of another it goes through", func(t *testing.T) {
		h.rune(t, "bob", "approve", "release/web-1", "-n", production).want(t, 0)
		h.rune(t, "alice", "resume", "release/web-1", "-n", production).want(t, 0)
		h.kubectl(t, "admin", "rollout", "status", "-n", production, "deployment/web", "--timeout=60s").want(t, 0)
	})
	t.Run("an edit by hand is refused, also by the administrator", func(t *testing.T) {
		h.kubectl(t, "admin", "set", "image", "-n", production, "deployment/web", "web="+secondImage).want(t, 1, "approv")
	})
	t.Run("what changes no template is free", func(t *testing.T) {
		h.kubectl(t, "admin", "scale", "-n", production, "deployment/web", "--replicas=3").want(t, 0)
		h.kubectl(t, "admin", "annotate", "-n", production, "deployment/web", "note=x").want(t, 0)
		h.kubectl(t, "admin", "rollout", "restart", "-n", production, "deployment/web").want(t, 0)
		h.kubectl(t, "admin", "rollout", "status", "-n", production, "deployment/web", "--timeout=60s").want(t, 0)
		h.kubectl(t, "admin", "delete", "pods", "-n", production, "-l", "app=web", "--wait=false").want(t, 0)
		h.kubectl(t, "admin", "rollout", "status", "-n", production, "deployment/web", "--timeout=60s").want(t, 0)
	})
	t.Run("a Pod, a ReplicaSet and a Job of a person are refused", func(t *testing.T) {
		spec := `containers: [{name: web, image: "` + secondImage + `", resources: {limits: {memory: 64Mi}}}]`
		h.apply(t, "admin", production, "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {"+spec+"}}").want(t, 1, "approv")
		h.apply(t, "admin", production, "{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: r}, spec: {selector: {matchLabels: {a: b}}, "+
			"template: {metadata: {labels: {a: b}}, spec: {"+spec+"}}}}").want(t, 1, "approv")
		h.apply(t, "admin", production, "{apiVersion: batch/v1, kind: Job, metadata: {name: j}, spec: {template: {spec: {restartPolicy: Never, "+spec+"}}}}").want(t, 1, "approv")
	})
	t.Run("an old approval does not cover a new template", func(t *testing.T) {
		manifest := strings.Replace(limited, "metadata: {name: web, labels: {app: web}}",
			"metadata: {name: web, labels: {app: web}, annotations: {rune.runeframeos.com/release: web-1}}", 1)
		manifest = strings.ReplaceAll(manifest, strings.Repeat("a", 64), strings.Repeat("b", 64))
		h.apply(t, "admin", production, manifest).want(t, 1, "web-1")
	})
	t.Run("a canary of an approved release finishes on fake nodes too", func(t *testing.T) {
		h.rune(t, "alice", "canary", "deployment/web", "-n", production, "--image", "web="+secondImage).want(t, 3, "web-2")
		h.rune(t, "bob", "approve", "release/web-2", "-n", production).want(t, 0)
		h.rune(t, "alice", "resume", "deployment/web", "-n", production).want(t, 0)
		assertOnlyDeployment(t, h, production)
	})
	t.Run("without the webhook an environment is closed and all else is open", func(t *testing.T) {
		stop()
		free := h.namespace(t, "cp-free")
		h.apply(t, "admin", production, strings.Replace(limited, "name: web,", "name: other,", 1)).want(t, 1, "rune")
		h.apply(t, "admin", free, limited).want(t, 0)
		h.kubectl(t, "admin", "scale", "-n", production, "deployment/web", "--replicas=2").want(t, 0)
		h.kubectl(t, "admin", "delete", "deployment", "web", "-n", production, "--timeout=60s").want(t, 0)
	})
}

// assertOnlyDeployment checks that a release without a Service of the user left nothing behind.
func assertOnlyDeployment(t *testing.T, h *harness, namespace string) {
	t.Helper()
	eventually(t, "the namespace to be at rest", func() string {
		names := h.get(t, "{.items[*].metadata.name}", "deployments,services,leases", "-n", namespace)
		if names != "web" {
			return "there is " + names
		}
		return ""
	})
}

// TestControlPlaneCanaryWithoutEnvironment: the plugin drives a plain Deployment where no rules are.
func TestControlPlaneCanaryWithoutEnvironment(t *testing.T) {
	h := shared
	h.crds(t)
	namespace := h.namespace(t, "cp-plain")
	h.apply(t, "admin", namespace, plain).want(t, 0)
	h.kubectl(t, "admin", "rollout", "status", "-n", namespace, "deployment/web", "--timeout=60s").want(t, 0)
	started := time.Now()
	h.rune(t, "admin", "canary", "deployment/web", "-n", namespace, "--image", "registry.example.com/web:v2",
		"--steps", "50", "--pause", "1s").want(t, 0, "deployment.apps/web")
	t.Logf("took %s", time.Since(started))
	assertOnlyDeployment(t, h, namespace)
	h.rune(t, "admin", "rollback", "deployment/web", "-n", namespace, "--yes").want(t, 0)
	if image := h.get(t, "{.spec.template.spec.containers[0].image}", "deployment", "web", "-n", namespace); image != "registry.example.com/web:v1" {
		t.Errorf("after the rollback the image is %s", image)
	}
	h.rune(t, "admin", "history", "deployment/web", "-n", namespace).want(t, 0, "web-1", "web-2")
}
