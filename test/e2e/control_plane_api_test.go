//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestControlPlaneAPI: what the CRDs themselves refuse, with or without a webhook.
func TestControlPlaneAPI(t *testing.T) {
	h := shared
	h.crds(t)
	namespace := h.namespace(t, "api")
	valid := environment("api-test", "api-test", needApproval)

	tests := map[string]struct {
		manifest string
		want     string // empty: admitted
	}{
		"a complete environment": {manifest: valid},
		"a system namespace":     {strings.ReplaceAll(valid, "[api-test]", "[kube-system]"), "system namespaces"},
		"no namespace":           {strings.ReplaceAll(valid, "[api-test]", "[]"), "needs namespaces or a namespaceSelector"},
		"signatures without pinned pods": {
			strings.ReplaceAll(valid, "pin: Pods", "pin: Never"), "what was verified must be what runs"},
		"a step that is both weight and pause": {
			strings.ReplaceAll(valid, "{pause: 2s}", "{setWeight: 3, pause: 2s}"), "either setWeight or pause"},
		"an unknown level of pod security": {strings.ReplaceAll(valid, "restricted", "relaxed"), "Unsupported value"},
		"an image policy whose key is none": {`
apiVersion: rune.runeframeos.com/v1alpha1
kind: ImagePolicy
metadata: {name: api-test}
spec:
  images: ["**"]
  environments: [api-test]
  authorities: [{name: a, key: {data: "no key"}}]`, "PUBLIC KEY"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cmd := h.command(t.Context(), "admin", h.cluster.Kubectl, "apply", "--dry-run=server", "-f", "-")
			cmd.Stdin = strings.NewReader(tt.manifest)
			got := h.run(t, cmd)
			if tt.want == "" {
				got.want(t, 0)
			} else {
				got.want(t, 1, tt.want)
			}
		})
	}

	t.Run("a Release's spec cannot change", func(t *testing.T) {
		release := `
apiVersion: rune.runeframeos.com/v1alpha1
kind: Release
metadata: {name: web-1}
spec:
  action: Canary
  strategy: Canary
  workload: {kind: Deployment, name: web}
  to: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "web:v1", fromTheFuture: true}]}}
`
		h.apply(t, "admin", namespace, release).want(t, 0)
		kept := h.get(t, "{.spec.to.spec.containers[0].fromTheFuture} {.spec.to.metadata.labels.app}", "release", "web-1", "-n", namespace)
		if kept != "true web" {
			t.Errorf("the template was stored as %q, want nothing pruned", kept)
		}
		h.apply(t, "admin", namespace, strings.Replace(release, "web:v1", "web:v2", 1)).want(t, 1, "immutable")
		h.apply(t, "admin", namespace, strings.Replace(release, "action: Canary", "action: Rollback", 1)).want(t, 1, "immutable")
	})
	t.Run("kubectl get reads well", func(t *testing.T) {
		h.kubectl(t, "admin", "get", "rel", "-n", namespace).want(t, 0, "WORKLOAD", "PHASE", "REQUESTED-BY")
		h.kubectl(t, "admin", "get", "env").want(t, 0)
		h.kubectl(t, "admin", "explain", "environments.spec.rules.approval").want(t, 0, "minApprovals", "separateRequester")
	})
}
