//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
)

func unstructuredSerializer() runtime.NegotiatedSerializer {
	return serializer.NewCodecFactory(runtime.NewScheme()).WithoutConversion()
}

// exemption lifts the rule resources for a Deployment for some time from now.
func exemption(name, workload, validity, more string) string {
	duration, err := time.ParseDuration(validity)
	if err != nil {
		panic(err)
	}
	expires := time.Now().Add(duration).UTC().Format(time.RFC3339)
	return fmt.Sprintf("{apiVersion: rune.runeframeos.com/v1alpha1, kind: Exemption, metadata: {name: %s}, spec: {rules: [resources], "+
		"workload: {kind: Deployment, name: %s}, reason: test, expiresAt: %q%s}}", name, workload, expires, more)
}

func (h *harness) exemptions(t *testing.T) {
	t.Run("by someone without the verb exempt", func(t *testing.T) {
		h.apply(t, "trudy", guarded, exemption("own", "lifted", "1h", "")).want(t, 1, "exempt")
		h.apply(t, "trudy", guarded, exemption("own", "lifted", "1h", ", createdBy: {username: erin}, seal: 'v1:00'")).want(t, 1, "exempt")
	})
	t.Run("with a seal written by hand", func(t *testing.T) {
		h.apply(t, "trudy", guarded, deploymentOf("handwritten", 1, unbounded)).refusedBy(t, "resources")
	})
	t.Run("of another namespace", func(t *testing.T) {
		h.apply(t, "erin", approved, exemption("elsewhere", "lifted", "1h", "")).want(t, 0)
		h.apply(t, "trudy", guarded, deploymentOf("lifted", 1, unbounded)).refusedBy(t, "resources")
	})
	t.Run("that is too long or over", func(t *testing.T) {
		h.apply(t, "erin", guarded, exemption("long", "lifted", "25h", "")).want(t, 1, "24h")
		h.apply(t, "erin", guarded, exemption("over", "lifted", "-1h", "")).want(t, 1, "expiresAt")
	})
	t.Run("of another workload or rule", func(t *testing.T) {
		h.apply(t, "erin", guarded, exemption("lifted", "lifted", "1h", "")).want(t, 0)
		h.apply(t, "trudy", guarded, deploymentOf("unlifted", 1, unbounded)).refusedBy(t, "resources")
		h.apply(t, "trudy", guarded, deploymentOf("lifted", 1, strings.Replace(unbounded, goodImage, foreignImage, 1))).refusedBy(t, "registries")
	})
	t.Run("a true one lifts its rule for its workload and the Pods of that", func(t *testing.T) {
		if who := h.get(t, "{.spec.createdBy.username}", "exemption", "lifted", "-n", guarded); who != "erin" {
			t.Errorf("it was created by %q, want erin", who)
		}
		h.apply(t, "trudy", guarded, deploymentOf("lifted", 1, unbounded)).want(t, 0)
		h.kubectl(t, "admin", "rollout", "status", "-n", guarded, "deployment/lifted", "--timeout=60s").want(t, 0)
	})
	t.Run("for a Pod that only claims to be of the workload", func(t *testing.T) {
		name := h.get(t, "{.items[0].metadata.name}", "replicasets", "-n", guarded, "-l", "app=lifted")
		uid := h.get(t, "{.metadata.uid}", "replicaset", name, "-n", guarded)
		owner := fmt.Sprintf("ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: %s, uid: %s, controller: true}]", name, uid)
		h.apply(t, "trudy", guarded, podOf("claims", "containers: ["+unbounded+"]", owner)).refusedBy(t, "resources")
	})
	t.Run("changed after its creation", func(t *testing.T) {
		h.kubectl(t, "erin", "patch", "exemption", "lifted", "-n", guarded, "--type=merge", "-p", `{"spec":{"workload":{"name":"unlifted"}}}`).want(t, 1, "immutable")
	})
	t.Run("that has ended", func(t *testing.T) {
		h.apply(t, "erin", guarded, exemption("short", "fleeting", "3s", "")).want(t, 0)
		h.apply(t, "trudy", guarded, deploymentOf("fleeting", 1, unbounded)).want(t, 0)
		eventually(t, "the Exemption to end", func() string {
			changed := strings.Replace(unbounded, ":v1", ":v2", 1)
			cmd := h.command(t.Context(), "trudy", h.cluster.Kubectl, "apply", "-n", guarded, "--dry-run=server", "-f", "-")
			cmd.Stdin = strings.NewReader(deploymentOf("fleeting", 1, changed))
			if got := h.run(t, cmd); got.code == 0 || !strings.Contains(got.stderr, "[resources]") {
				return got.String()
			}
			return ""
		})
	})
}

func (h *harness) relabelledNamespace(t *testing.T) {
	bad := podOf("unbounded", "containers: ["+unbounded+"]")
	h.apply(t, "trudy", selected, bad).refusedBy(t, "resources")
	h.kubectl(t, "trudy", "label", "namespace", selected, "tier=development", "--overwrite").want(t, 1, selected)
	h.kubectl(t, "trudy", "label", "namespace", selected, "tier-").want(t, 1, selected)
	h.kubectl(t, "trudy", "patch", "namespace", selected, "--type=json", "-p", `[{"op":"remove","path":"/metadata/labels"}]`).want(t, 1, selected)
	h.kubectl(t, "trudy", "label", "namespace", selected, "team=shop").want(t, 0)
	h.apply(t, "trudy", selected, bad).refusedBy(t, "resources")
	// Labels have no part in what is listed by name.
	h.kubectl(t, "trudy", "label", "namespace", guarded, "tier=development").want(t, 0)
	h.apply(t, "trudy", guarded, bad).refusedBy(t, "resources")
	// Who may change the Environment may also take a namespace out of it.
	h.kubectl(t, "admin", "label", "namespace", selected, "tier-").want(t, 0)
	h.apply(t, "trudy", selected, bad).want(t, 0)
}

// unjudgedIsFree: a Deployment that has broken the rules since before they were there can be scaled, restarted,
// annotated and deleted.
func (h *harness) unjudgedIsFree(t *testing.T) {
	h.kubectl(t, "trudy", "scale", "-n", guarded, "deployment/before", "--replicas=0").want(t, 0)
	h.kubectl(t, "trudy", "annotate", "-n", guarded, "deployment/before", "note=x").want(t, 0)
	h.kubectl(t, "trudy", "rollout", "restart", "-n", guarded, "deployment/before").want(t, 0)
	h.kubectl(t, "trudy", "set", "image", "-n", guarded, "deployment/before", "app=registry.example.com/web:v2").refusedBy(t, "resources")
	pod := h.get(t, "{.items[0].metadata.name}", "pods", "-n", approved, "-l", "app=before")
	h.kubectl(t, "trudy", "label", "-n", approved, "pod/"+pod, "note=x").want(t, 0)
	h.kubectl(t, "trudy", "patch", "-n", approved, "pod/"+pod, "--subresource=status", "-p", `{"status":{"message":"seen"}}`).want(t, 0)
}

// whileStopped: an environment without its webhook is closed to what is new, and open to what changes nothing judged.
func (h *harness) whileStopped(t *testing.T, stop func()) {
	h.apply(t, "trudy", guarded, podOf("finalized", "containers: ["+goodContainer+"]", "finalizers: [example.com/stay]")).want(t, 0)
	stop()
	h.apply(t, "trudy", guarded, podOf("new", "containers: ["+goodContainer+"]")).want(t, 1, "rune")
	h.kubectl(t, "trudy", "set", "image", "-n", guarded, "deployment/before", "app="+foreignImage).want(t, 1, "rune")
	h.kubectl(t, "trudy", "scale", "-n", guarded, "deployment/before", "--replicas=2").want(t, 0)
	h.kubectl(t, "trudy", "scale", "-n", guarded, "deployment/before", "--replicas=0").want(t, 0)
	h.kubectl(t, "trudy", "patch", "-n", guarded, "deployment/before", "-p", `{"spec":{"replicas":0}}`).want(t, 0)
	h.kubectl(t, "trudy", "annotate", "--overwrite", "-n", guarded, "deployment/before", "note=y").want(t, 0)
	h.kubectl(t, "trudy", "patch", "-n", guarded, "deployment/before", "--subresource=status", "-p", `{"status":{"observedGeneration":99}}`).want(t, 0)
	h.kubectl(t, "trudy", "delete", "pod", "finalized", "-n", guarded, "--wait=false").want(t, 0)
	h.kubectl(t, "trudy", "patch", "pod", "finalized", "-n", guarded, "--type=merge", "-p", `{"metadata":{"finalizers":null}}`).want(t, 0)
	h.kubectl(t, "trudy", "delete", "deployment", "before", "-n", guarded, "--timeout=60s").want(t, 0)
	// Elsewhere nothing waits for it.
	h.apply(t, "trudy", outside, podOf("free", "containers: ["+badContainer+"]")).want(t, 0)
}
