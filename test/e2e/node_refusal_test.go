//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestNodeRefusals shows what the API server does not let into an environment.
func TestNodeRefusals(t *testing.T) {
	h := withRune(t)
	const namespace = "refusing"
	h.enforced(t, map[string]string{namespace: environment(namespace, namespace, needApproval)})

	t.Run("a pod whose image nobody signed", func(t *testing.T) {
		h.apply(t, "admin", namespace, demo(t, "refused/unsigned.yaml")).
			want(t, 1, "spec.containers[0].image", "web:unsigned", notSatisfied)
	})
	t.Run("a pod without a memory limit", func(t *testing.T) {
		h.apply(t, "admin", namespace, demo(t, "refused/unlimited.yaml")).
			want(t, 1, "limits.memory")
	})
	t.Run("a privileged pod", func(t *testing.T) {
		h.apply(t, "admin", namespace, demo(t, "refused/privileged.yaml")).
			want(t, 1, "privileged")
	})
	t.Run("all violations come in one message", func(t *testing.T) {
		manifest := strings.ReplaceAll(web(t, image("web:unsigned"), 1), "limits: {memory: 64Mi}", "limits: {}")
		h.apply(t, "admin", namespace, manifest).want(t, 1, "web:unsigned", "limits.memory", "approv")
	})
	t.Run("an annotation alone approves nothing", func(t *testing.T) {
		manifest := strings.Replace(web(t, image("web:v1"), 1), "labels: {app: web}",
			"labels: {app: web}\n  annotations: {rune.runeframeos.com/release: web-1}", 1)
		h.apply(t, "admin", namespace, manifest).want(t, 1, "web-1")
	})
	t.Run("a pod that claims a controller as its owner", func(t *testing.T) {
		pod := strings.Replace(demo(t, "refused/unlimited.yaml"), "metadata: {name: unlimited}",
			"metadata: {name: forged, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web, uid: 00000000-0000-0000-0000-000000000000, controller: true}]}", 1)
		pod = strings.Replace(pod, "requests: {cpu: 20m, memory: 32Mi}", "requests: {cpu: 20m, memory: 32Mi}\n      limits: {memory: 64Mi}", 1)
		h.apply(t, "admin", namespace, pod).want(t, 1, "approv")
	})
	t.Run("an ephemeral container with an unsigned image", func(t *testing.T) {
		const open = "refusing-ephemeral"
		h.enforced(t, map[string]string{open: environment(open, open, "")})
		h.apply(t, "admin", open, web(t, image("web:v1"), 1)).want(t, 0)
		h.kubectl(t, "admin", "rollout", "status", "-n", open, "deployment/web", "--timeout=60s").want(t, 0)
		pod := h.get(t, "{.items[0].metadata.name}", "pods", "-l", "app=web", "-n", open)
		h.kubectl(t, "admin", "debug", "-n", open, pod, "--image="+image("web:unsigned"), "--profile=restricted").
			want(t, 1, "web:unsigned")
	})
	if pods := h.get(t, "{.items[*].metadata.name}", "pods", "-n", namespace); pods != "" {
		t.Errorf("pods got in: %s", pods)
	}
}

// TestNodeElsewhereIsFree shows that nothing is asked outside of an environment's namespaces.
func TestNodeElsewhereIsFree(t *testing.T) {
	h := withRune(t)
	const namespace, elsewhere = "bound", "free"
	h.enforced(t, map[string]string{namespace: environment(namespace, namespace, needApproval)})
	h.namespace(t, elsewhere)
	h.apply(t, "admin", elsewhere, web(t, image("web:unsigned"), 1)).want(t, 0)
	h.kubectl(t, "admin", "rollout", "status", "-n", elsewhere, "deployment/web", "--timeout=60s").want(t, 0)
}

// TestNodeImageThatDoesNotExist shows both doors: in an environment the release is refused before
// anything changes, elsewhere the canary that cannot be pulled is taken back.
func TestNodeImageThatDoesNotExist(t *testing.T) {
	h := withRune(t)
	const inside, outside = "missing-inside", "missing-outside"
	h.enforced(t, map[string]string{inside: environment(inside, inside, "")})
	h.namespace(t, outside)
	for _, tt := range []struct {
		namespace string
		code      int
	}{{inside, 4}, {outside, 2}} {
		h.apply(t, "admin", tt.namespace, web(t, image("web:v1"), 2)).want(t, 0)
		h.kubectl(t, "admin", "rollout", "status", "-n", tt.namespace, "deployment/web", "--timeout=60s").want(t, 0)
		before := h.get(t, "{.spec}", "deployment", "web", "-n", tt.namespace)
		h.rune(t, "alice", "canary", "deployment/web", "-n", tt.namespace, "--image", "web="+image("web:none"),
			"--steps", "50", "--pause", "1s").want(t, tt.code, image("web:none"))
		if after := h.get(t, "{.spec}", "deployment", "web", "-n", tt.namespace); after != before {
			t.Errorf("%s: the Deployment's spec is now\n%s\nwant\n%s", tt.namespace, after, before)
		}
		eventually(t, "one Deployment and no Service", func() string {
			names := h.get(t, "{.items[*].metadata.name}", "deployments,services", "-n", tt.namespace)
			if names != "web" {
				return names
			}
			return ""
		})
	}
}
