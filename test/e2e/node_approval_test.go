//go:build e2e

package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestNodeApprovedIsWhatRuns: after the approval the tag is moved to another image that is signed by the
// same key. What runs is what was approved.
func TestNodeApprovedIsWhatRuns(t *testing.T) {
	h := withRune(t)
	const namespace = "moved-tag"
	h.enforced(t, map[string]string{namespace: environment(namespace, namespace, "")})
	h.apply(t, "admin", namespace, web(t, image("web:v1"), 1)).want(t, 0)
	h.kubectl(t, "admin", "rollout", "status", "-n", namespace, "deployment/web", "--timeout=60s").want(t, 0)
	h.kubectl(t, "admin", "patch", "environment", namespace, "--type=merge",
		"-p", `{"spec":{"rules":{"approval":{"minApprovals":1}}}}`).want(t, 0)
	eventually(t, "the webhook to ask for approval", func() string {
		out := h.kubectl(t, "admin", "set", "image", "-n", namespace, "deployment/web", "web="+image("web:v2"), "--dry-run=server")
		if !strings.Contains(out.stderr, "[approval]") {
			return out.String()
		}
		return ""
	})

	binary := filepath.Join(h.dir, "web")
	approved := h.push(t, "web:moving", binary, "VERSION=approved")
	h.sign(t, approved)
	h.rune(t, "alice", "canary", "deployment/web", "-n", namespace, "--image", "web="+image("web:moving")).want(t, 3)
	h.rune(t, "bob", "approve", "release/web-1", "-n", namespace).want(t, 0)
	h.sign(t, h.push(t, "web:moving", binary, "VERSION=another"))
	h.rune(t, "alice", "resume", "release/web-1", "-n", namespace).want(t, 0)

	_, digest, _ := strings.Cut(approved, "@")
	if wanted := h.get(t, "{.spec.template.spec.containers[0].image}", "deployment", "web", "-n", namespace); !strings.HasSuffix(wanted, "@"+digest) {
		t.Errorf("the Deployment wants %s, not the approved %s", wanted, digest)
	}
	eventually(t, "only pods with the approved image", func() string {
		running := strings.Fields(h.get(t, "{.items[*].spec.containers[*].image}", "pods", "-l", "app=web", "-n", namespace))
		for _, image := range running {
			if !strings.HasSuffix(image, "@"+digest) {
				return image + " is there, not " + digest
			}
		}
		if len(running) != 1 {
			return strings.Join(running, " ")
		}
		return ""
	})
}
