//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runeframeos/kubectl-rune/test/testcluster"
)

// plain is a Deployment that fake nodes can run: no image is pulled there.
const plain = `
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
      - {name: web, image: "registry.example.com/web:v1", ports: [{containerPort: 8080}]}
`

// crds installs Rune's CRDs and the roles for people, and nothing that judges.
func (h *harness) crds(t *testing.T) {
	t.Helper()
	manifests := h.rune(t, "admin", "install", "--dry-run=client", "-o", "yaml").want(t, 0).stdout
	var chosen []string
	for _, object := range strings.Split(manifests, "\n---\n") {
		if strings.Contains(object, "kind: CustomResourceDefinition\n") || strings.Contains(object, "kind: ClusterRole\n") {
			chosen = append(chosen, object)
		}
	}
	if len(chosen) < 5 {
		t.Fatalf("install prints %d CRDs and ClusterRoles, want at least 5", len(chosen))
	}
	h.apply(t, "admin", "default", strings.Join(chosen, "\n---\n")).want(t, 0)
	for _, plural := range []string{"environments", "imagepolicies", "releases", "approvals"} {
		h.kubectl(t, "admin", "wait", "--for=condition=Established", "crd/"+plural+".rune.runeframeos.com", "--timeout=60s").want(t, 0)
	}
}

// withoutCRDs removes Rune's CRDs, which an earlier test may have installed. A cluster that is not the
// tests' own keeps them.
func (h *harness) withoutCRDs(t *testing.T) {
	t.Helper()
	if h.cluster.Tier == testcluster.Existing {
		t.Skip("this needs a cluster without Rune's CRDs, and the one of E2E_KUBECONFIG is not ours to clear")
	}
	h.kubectl(t, "admin", "delete", "--ignore-not-found", "--timeout=60s", "-f", "../../manifests/crds").want(t, 0)
}

// snapshot is the state of all that a release could touch in a namespace.
func (h *harness) snapshot(t *testing.T, namespace string) string {
	t.Helper()
	return h.get(t, `{range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{"\n"}{end}`,
		"deployments,replicasets,services,pods,leases", "-n", namespace)
}

// TestControlPlaneBadInput: each mistake gets one clear line and a non-zero exit code, and the cluster
// is as it was.
func TestControlPlaneBadInput(t *testing.T) {
	h := shared
	namespace := h.namespace(t, "bad-input")
	h.apply(t, "admin", namespace, plain).want(t, 0)
	h.kubectl(t, "admin", "rollout", "status", "-n", namespace, "deployment/web", "--timeout=60s").want(t, 0)
	h.user(t, "mallory")
	canary := []string{"canary", "deployment/web", "-n", namespace, "--image", "web=registry.example.com/web:v2"}

	t.Run("the CRDs are missing", func(t *testing.T) {
		h.withoutCRDs(t)
		h.refused(t, namespace, "admin", canary, "kubectl rune install")
		h.refused(t, namespace, "admin", []string{"status", "deployment/web", "-n", namespace}, "kubectl rune install")
	})
	h.crds(t)

	t.Run("the Deployment is missing", func(t *testing.T) {
		h.refused(t, namespace, "admin", []string{"canary", "deployment/nothing", "-n", namespace, "--image", "web=x:v2"}, `"nothing"`)
		h.refused(t, namespace, "admin", []string{"rollback", "deployment/nothing", "-n", namespace, "--yes"}, `"nothing"`)
		h.refused(t, namespace, "admin", []string{"status", "deployment/nothing", "-n", namespace}, `"nothing"`)
	})
	t.Run("the release is missing", func(t *testing.T) {
		h.refused(t, namespace, "admin", []string{"approve", "release/web-9", "-n", namespace}, "web-9")
		h.refused(t, namespace, "admin", []string{"resume", "release/web-9", "-n", namespace}, "web-9")
	})
	t.Run("the environment is missing", func(t *testing.T) {
		h.refused(t, namespace, "admin", []string{"promote", "deployment/web", "--to", "nowhere"}, `"nowhere"`)
	})
	t.Run("the container is missing", func(t *testing.T) {
		h.refused(t, namespace, "admin", []string{"canary", "deployment/web", "-n", namespace, "--image", "sidecar=x:v2"}, `"sidecar"`)
	})
	t.Run("rights are missing", func(t *testing.T) {
		h.refused(t, namespace, "mallory", canary, "mallory")
		h.refused(t, namespace, "mallory", []string{"approve", "release/web-1", "-n", namespace}, "mallory")
	})
	t.Run("some rights are missing", func(t *testing.T) {
		h.user(t, "carol", "rune-viewer", "view")
		h.refused(t, namespace, "carol", canary, "carol")
	})
	t.Run("the weights make no sense", func(t *testing.T) {
		for _, steps := range []string{"0", "101", "50,20", "ten", ""} {
			h.refused(t, namespace, "admin", append(canary, "--steps", steps), "--steps")
		}
	})
	t.Run("the kubeconfig is wrong", func(t *testing.T) {
		broken := filepath.Join(t.TempDir(), "broken")
		if err := os.WriteFile(broken, []byte("this: [is no kubeconfig"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{
			append([]string{"--kubeconfig", "/no/such/file"}, canary...),
			append([]string{"--kubeconfig", broken}, canary...),
			append([]string{"--context", "no-such-context"}, canary...),
			append([]string{"--server", "https://127.0.0.1:1"}, canary...),
		} {
			h.refused(t, namespace, "admin", args, "error: ")
		}
	})
}

// refused runs a command that must fail in one line that holds a text, and must change nothing.
func (h *harness) refused(t *testing.T, namespace, user string, args []string, text string) {
	t.Helper()
	before := h.snapshot(t, namespace)
	got := h.rune(t, user, args...)
	if got.code != 1 && got.code != 4 {
		t.Errorf("got exit code %d, want 1 or 4:\n%s", got.code, got)
	}
	if !strings.Contains(got.stderr, text) {
		t.Errorf("the message lacks %q:\n%s", text, got)
	}
	if lines := strings.Count(strings.TrimSpace(got.stderr), "\n") + 1; lines != 1 || got.stdout != "" {
		t.Errorf("got %d lines on stderr and %q on stdout, want one clear line:\n%s", lines, got.stdout, got)
	}
	if after := h.snapshot(t, namespace); after != before {
		t.Errorf("the refused command changed the cluster:\n%s\nwas\n%s", after, before)
	}
}
