//go:build e2e

package e2e

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestNodeKillNine kills the plugin with SIGKILL at five random moments of a canary. After each, resume
// brings the workload to the same final state, under traffic and without a failed request.
func TestNodeKillNine(t *testing.T) {
	h := withRune(t)
	const namespace = "killed"
	h.enforced(t, map[string]string{namespace: environment(namespace, namespace, "")})
	h.apply(t, "admin", namespace, demo(t, "service.yaml")).want(t, 0)
	h.apply(t, "admin", namespace, web(t, image("web:v1"), 4)).want(t, 0)
	h.kubectl(t, "admin", "rollout", "status", "-n", namespace, "deployment/web", "--timeout=60s").want(t, 0)
	users := h.startTraffic(t, namespace)

	started := time.Now()
	h.rune(t, "alice", "canary", "deployment/web", "-n", namespace, "--image", "web="+image("web:v2")).want(t, 0)
	undisturbed := time.Since(started)
	seed := uint64(started.UnixNano())
	t.Logf("an undisturbed canary takes %s; seed %d", undisturbed, seed)
	random := rand.New(rand.NewPCG(seed, 0))

	version, other := "v1", "v2"
	for resumed, tries := 0, 0; resumed < 5; tries++ {
		if tries == 15 {
			t.Fatalf("only %d of %d drivers were killed in the middle of a release", resumed, tries)
		}
		moment := time.Duration(random.Int64N(int64(undisturbed)))
		sent, failed := users.during(t, func() {
			if h.killAndResume(t, namespace, version, moment) {
				resumed++
			}
		})
		if failed != 0 {
			t.Errorf("killed after %s: %d of %d requests failed, want 0", moment, failed, sent)
		}
		assertAtRest(t, h, namespace)
		assertFinal(t, h, namespace, image("web:"+version))
		version, other = other, version
	}
}

// killAndResume starts a canary, kills its driver after a time with SIGKILL, and resumes it. It is false
// where there was nothing to resume, because the driver had not begun or had ended already.
func (h *harness) killAndResume(t *testing.T, namespace, version string, after time.Duration) bool {
	t.Helper()
	before := h.get(t, "{.items[*].metadata.name}", "releases", "-n", namespace)
	driver := h.command(t.Context(), "alice", filepath.Join(h.bin, "kubectl-rune"), "canary", "deployment/web",
		"-n", namespace, "--image", "web="+image("web:"+version))
	var output bytes.Buffer
	driver.Stdout, driver.Stderr = &output, &output
	if err := driver.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(after, func() { _ = driver.Process.Kill() })
	defer kill.Stop()
	if err := driver.Wait(); err == nil {
		t.Logf("the canary to %s ended before it was killed after %s", version, after)
		return false
	}
	t.Logf("killed after %s; the driver had printed:\n%s", after, output.String())
	if h.get(t, "{.items[*].metadata.name}", "releases", "-n", namespace) == before {
		// Killed before the release was recorded: nothing was changed, so there is nothing to resume.
		h.rune(t, "alice", "canary", "deployment/web", "-n", namespace, "--image", "web="+image("web:"+version)).want(t, 0)
		return false
	}
	h.rune(t, "alice", "resume", "deployment/web", "-n", namespace).want(t, 0)
	return true
}

// assertFinal checks the one state in which every canary must end: four ready pods of the new version
// under one ReplicaSet, the newest release succeeded.
func assertFinal(t *testing.T, h *harness, namespace, image string) {
	t.Helper()
	h.kubectl(t, "admin", "rollout", "status", "-n", namespace, "deployment/web", "--timeout=60s").want(t, 0)
	got := h.get(t, "{.spec.template.spec.containers[0].image} {.spec.replicas} {.status.readyReplicas} {.status.replicas}",
		"deployment", "web", "-n", namespace)
	if want := image + " 4 4 4"; got != want {
		t.Errorf("final state %q, want %q", got, want)
	}
	phases := strings.Fields(h.get(t, "{.items[*].status.phase}", "releases", "-n", namespace))
	for _, phase := range phases {
		if phase != "Succeeded" {
			t.Errorf("releases ended as %v, want all Succeeded", phases)
			break
		}
	}
}
