//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/runeframeos/kubectl-rune/test/testcluster"
)

// faulty makes version v3 answer every second request with an error.
const faulty = "FAIL_EVERY=2"

// installed is the part of the harness that tests on real pods share: images in the registry, Rune in
// the cluster.
var installed struct {
	sync.Once
	ok bool
}

// withRune returns the harness with Rune installed in the cluster and web v1 to v3 signed.
func withRune(t *testing.T) *harness {
	t.Helper()
	testcluster.RequireRealPods(t, shared.cluster)
	installed.Do(func() {
		shared.pushImages(t)
		shared.rune(t, "admin", "install", "--image", image("rune-webhook:e2e")).want(t, 0)
		shared.user(t, "alice", "rune-releaser", "rune-viewer", "rune-approver")
		shared.user(t, "bob", "rune-viewer", "rune-approver")
		installed.ok = true
	})
	if !installed.ok {
		t.Fatal("installing Rune failed in an earlier test")
	}
	return shared
}

// pushImages builds the programs of test/apps, pushes them in versions, and signs all but one.
func (h *harness) pushImages(t *testing.T) {
	t.Helper()
	web, client := h.build(t, "web"), h.build(t, "client")
	h.keys(t)
	for _, version := range []string{"v1", "v2", "v3"} {
		env := []string{"VERSION=" + version}
		if version == "v3" {
			env = append(env, faulty)
		}
		h.sign(t, h.push(t, "web:"+version, web, env...))
	}
	h.push(t, "web:unsigned", web, "VERSION=unsigned")
	h.push(t, "client:v1", client)
	h.push(t, "rune-webhook:e2e", filepath.Join(h.bin, "rune-webhook"))
}

func (h *harness) build(t *testing.T, app string) string {
	t.Helper()
	path := filepath.Join(h.dir, app)
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./"+app)
	build.Dir = filepath.Join("..", "apps")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", app, err, out)
	}
	return path
}

// push loads a static binary as an image and returns its reference by digest.
func (h *harness) push(t *testing.T, name, binary string, env ...string) string {
	t.Helper()
	reference, err := h.cluster.LoadImage(t.Context(), image(name), binary,
		testcluster.ImageOptions{User: "65532", Env: env})
	if err != nil {
		t.Fatal(err)
	}
	return reference
}

// keys makes the signing key of this run.
func (h *harness) keys(t *testing.T) {
	t.Helper()
	path, err := h.cluster.Tool(t.Context(), "cosign")
	if err != nil {
		t.Fatal(err)
	}
	h.cosign = path
	generate := exec.CommandContext(t.Context(), h.cosign, "generate-key-pair")
	generate.Dir = h.dir
	generate.Env = append(os.Environ(), "COSIGN_PASSWORD=")
	if out, err := generate.CombinedOutput(); err != nil {
		t.Fatalf("generating the signing key: %v\n%s", err, out)
	}
}

// sign signs an image with the real cosign, without a transparency log, as a pipeline behind a firewall does.
func (h *harness) sign(t *testing.T, reference string) {
	t.Helper()
	sign := exec.CommandContext(t.Context(), h.cosign, "sign", "--yes", "--tlog-upload=false",
		"--key", filepath.Join(h.dir, "cosign.key"), reference)
	sign.Env = append(os.Environ(), "COSIGN_PASSWORD=", "HTTP_PROXY="+h.cluster.RegistryProxy)
	if out, err := sign.CombinedOutput(); err != nil {
		t.Fatalf("signing %s: %v\n%s", reference, err, out)
	}
}

// imagePolicy trusts the key of this run for web in the environments named.
func (h *harness) imagePolicy(t *testing.T, name string, environments ...string) string {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(h.dir, "cosign.pub"))
	if err != nil {
		t.Fatal(err)
	}
	indented := strings.ReplaceAll(strings.TrimSpace(string(key)), "\n", "\n        ")
	return fmt.Sprintf(`
apiVersion: rune.runeframeos.com/v1alpha1
kind: ImagePolicy
metadata: {name: %s}
spec:
  images: [%q]
  environments: [%s]
  authorities:
  - name: pipeline
    key:
      data: |
        %s
`, name, image("web"), strings.Join(environments, ", "), indented)
}

// enforced makes namespaces, one Environment in each and a policy for their images, waits until the
// API server asks the webhook about them, and removes all that after the test.
func (h *harness) enforced(t *testing.T, environments map[string]string) {
	t.Helper()
	names := make([]string, 0, len(environments))
	for name, manifest := range environments {
		h.namespace(t, name)
		h.remove(t, "environment", name)
		h.apply(t, "admin", "default", manifest).want(t, 0)
		names = append(names, name)
	}
	policy := "for-" + names[0]
	h.remove(t, "imagepolicy", policy)
	h.apply(t, "admin", "default", h.imagePolicy(t, policy, names...)).want(t, 0)
	for _, name := range names {
		h.kubectl(t, "admin", "wait", "--for=condition=Enforced", "environment/"+name, "--timeout=60s").want(t, 0)
	}
}

// remove deletes a cluster-scoped object when the test ends.
func (h *harness) remove(t *testing.T, kind, name string) {
	t.Helper()
	t.Cleanup(func() {
		cmd := h.command(context.Background(), "admin", h.cluster.Kubectl, "delete", kind, name, "--ignore-not-found")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Logf("deleting %s %s: %v\n%s", kind, name, err, out)
		}
	})
}
