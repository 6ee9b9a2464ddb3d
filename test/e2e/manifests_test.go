//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// demoRegistry is the registry that the demo's manifests name.
const demoRegistry = "registry.localhost:5000"

// image names an image in the registry of the cluster under test.
func image(name string) string { return shared.cluster.Registry + "/" + name }

// demo reads a manifest of the demo: the tests and the demo judge the same objects.
func demo(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "hack", "demo", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(data), demoRegistry, shared.cluster.Registry)
}

// web is the demo's Deployment with another image and number of replicas.
func web(t *testing.T, reference string, replicas int) string {
	t.Helper()
	manifest := strings.ReplaceAll(demo(t, "web.yaml"), image("web:v1"), reference)
	return strings.Replace(manifest, "replicas: 2", fmt.Sprintf("replicas: %d", replicas), 1)
}

// environment is an Environment with all rules of the demo in one namespace.
func environment(name, namespace, approval string) string {
	return fmt.Sprintf(`
apiVersion: rune.runeframeos.com/v1alpha1
kind: Environment
metadata: {name: %s}
spec:
  namespaces: [%s]
  rules:
    images: {pin: Pods}
    signatures: {}
    podSecurity: {level: restricted}
    resources: {require: [requests.cpu, requests.memory, limits.memory]}
%s
  delivery:
    strategy: Canary
    canary: {steps: [{setWeight: 25}, {pause: 2s}, {setWeight: 50}, {pause: 2s}]}
    smokeTests: [{name: Basic connectivity, path: /health, requests: 10}]
    deadline: 10m
`, name, namespace, approval)
}

// needApproval is the rule of the demo's production.
const needApproval = `    approval: {minApprovals: 1, rollback: None}`
