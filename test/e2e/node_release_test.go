//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestNodeStory is the main job: a change goes through staging to production, approved by a second
// person, while users are on it; a faulty one is taken back without a person.
func TestNodeStory(t *testing.T) {
	h := withRune(t)
	const staging, production = "story-staging", "story-production"
	h.enforced(t, map[string]string{
		staging:    environment(staging, staging, ""),
		production: strings.Replace(environment(production, production, needApproval), "spec:", "spec:\n  promotesFrom: "+staging+"\n  workload: {replicas: 3}", 1),
	})
	h.apply(t, "admin", staging, demo(t, "service.yaml")).want(t, 0)
	h.apply(t, "admin", production, demo(t, "service.yaml")).want(t, 0)
	h.apply(t, "admin", staging, web(t, image("web:v1"), 2)).want(t, 0)
	h.kubectl(t, "admin", "rollout", "status", "-n", staging, "deployment/web", "--timeout=60s").want(t, 0)

	promote(t, h, production, "web-1")
	assertPinned(t, h, production, 3)

	users := h.startTraffic(t, staging)
	sent, failed := users.during(t, func() {
		h.rune(t, "alice", "canary", "deployment/web", "-n", staging, "--image", "web="+image("web:v2")).
			want(t, 0, "deployment.apps/web")
	})
	if failed != 0 {
		t.Errorf("canary v2: %d of %d requests failed, want 0", failed, sent)
	}
	assertAtRest(t, h, staging)

	inProduction := h.startTraffic(t, production)
	sent, failed = inProduction.during(t, func() { promote(t, h, production, "web-2") })
	if failed != 0 {
		t.Errorf("promote v2: %d of %d requests failed, want 0", failed, sent)
	}
	assertAtRest(t, h, production)

	before := h.get(t, "{.spec}", "deployment", "web", "-n", staging)
	h.rune(t, "alice", "canary", "deployment/web", "-n", staging, "--image", "web="+image("web:v3")).
		want(t, 2, "Basic connectivity", "500")
	if after := h.get(t, "{.spec}", "deployment", "web", "-n", staging); after != before {
		t.Errorf("after the faulty canary the Deployment's spec is\n%s\nwant\n%s", after, before)
	}
	assertAtRest(t, h, staging)

	sent, failed = inProduction.during(t, func() {
		h.rune(t, "alice", "rollback", "deployment/web", "-n", production, "--reason", "test", "--yes").want(t, 0)
	})
	if failed != 0 {
		t.Errorf("rollback to v1: %d of %d requests failed, want 0", failed, sent)
	}
	assertAtRest(t, h, production)
	if images := h.get(t, "{.spec.template.spec.containers[*].image}", "deployment", "web", "-n", production); images == "" ||
		images != h.get(t, "{.spec.from.spec.containers[*].image}", "release", "web-2", "-n", production) {
		t.Errorf("after the rollback production wants %q, not what it ran before release web-2", images)
	}
	h.rune(t, "alice", "status", "deployment/web", "-n", production).want(t, 0, "web-3", "Succeeded")
}

// promote brings what staging runs to production with the approval of bob.
func promote(t *testing.T, h *harness, environment, release string) {
	t.Helper()
	h.rune(t, "alice", "promote", "deployment/web", "--to", environment).want(t, 3, release, "approve")
	h.rune(t, "alice", "approve", "release/"+release, "-n", environment).want(t, 4, "alice")
	h.rune(t, "alice", "resume", "release/"+release, "-n", environment).want(t, 3)
	h.rune(t, "bob", "approve", "release/"+release, "-n", environment).want(t, 0, "approved")
	h.rune(t, "alice", "resume", "release/"+release, "-n", environment).want(t, 0)
}

// assertPinned checks that n pods run, each by digest.
func assertPinned(t *testing.T, h *harness, namespace string, n int) {
	t.Helper()
	images := strings.Fields(h.get(t, "{.items[*].spec.containers[*].image}", "pods", "-l", "app=web", "-n", namespace))
	if len(images) != n {
		t.Errorf("%s runs %d pods, want %d", namespace, len(images), n)
	}
	for _, image := range images {
		if !strings.Contains(image, "@sha256:") {
			t.Errorf("a pod of %s runs %q, want a digest", namespace, image)
		}
	}
}

// assertAtRest checks that a release left nothing behind but its record.
func assertAtRest(t *testing.T, h *harness, namespace string) {
	t.Helper()
	eventually(t, "the namespace to be at rest", func() string {
		deployments := h.get(t, "{.items[*].metadata.name}", "deployments", "-n", namespace)
		services := h.get(t, "{.items[*].metadata.name}", "services", "-n", namespace)
		leases := h.get(t, "{.items[*].metadata.name}", "leases", "-n", namespace)
		paused := h.get(t, "{.items[*].spec.paused}", "deployments", "-n", namespace)
		if deployments != "web" || services != "web" || leases != "" || paused != "" {
			return "deployments " + deployments + "; services " + services + "; leases " + leases + "; paused " + paused
		}
		return ""
	})
}
