//go:build cluster

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/machine"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/record"
)

// patience bounds every wait of these tests. What works takes seconds; the
// machine may be busy with other things.
const patience = 3 * time.Minute

// programs are what the tests run, built once.
type programs struct{ runecluster, smoke string }

var built programs

func TestMain(m *testing.M) {
	os.Exit(runAll(m))
}

func runAll(m *testing.M) int {
	dir, err := os.MkdirTemp("", "runecluster-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	built = programs{runecluster: filepath.Join(dir, "runecluster"), smoke: filepath.Join(dir, "smoke")}
	for target, source := range map[string]string{built.runecluster: ".", built.smoke: "./testdata/smoke"} {
		build := exec.Command("go", "build", "-o", target, source)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building %s: %v\n%s", source, err, out)
			return 1
		}
	}
	// The program lies outside the checkout here, and finds its tools' sources
	// by the working directory.
	return m.Run()
}

// cluster is a cluster under test.
type cluster struct {
	record.Info
}

// needNode skips the test on a machine that cannot run a real node, and fails
// it in CI.
func needNode(t *testing.T) {
	t.Helper()
	if _, _, err := machine.Choose(machine.Node, machine.Inspect()); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// runecluster runs the program and returns what it prints.
func runecluster(ctx context.Context, args ...string) (string, error) {
	command := exec.CommandContext(ctx, built.runecluster, args...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	if err != nil {
		err = fmt.Errorf("running runecluster %s: %w\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(stdout.String()), err
}

// up brings a cluster up; the test takes it down at its end.
func up(t *testing.T, name string, tier machine.Tier) *cluster {
	t.Helper()
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if t.Failed() {
			logs, err := runecluster(ctx, "status", "--name", name)
			t.Logf("%s\n%v", logs, err)
		}
		if _, err := runecluster(ctx, "down", "--name", name); err != nil {
			t.Error(err)
		}
	})
	return find(t, name, tier)
}

// find brings a cluster up or finds it, and does not take it down.
func find(t *testing.T, name string, tier machine.Tier) *cluster {
	t.Helper()
	out, err := runecluster(t.Context(), "up", "--name", name, "--tier", string(tier), "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var c cluster
	if err := json.Unmarshal([]byte(out), &c.Info); err != nil {
		t.Fatalf("reading what `up -o json` prints: %v\n%s", err, out)
	}
	return &c
}

// kubectl runs the cluster's kubectl as the user of a kubeconfig.
func (c *cluster) kubectl(t *testing.T, kubeconfig, input string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), c.Kubectl, append([]string{"--kubeconfig", kubeconfig}, args...)...)
	command.Stdin = strings.NewReader(input)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("running kubectl %s on cluster %q: %v\n%s", strings.Join(args, " "), c.Name, err, out)
	}
	return strings.TrimSpace(string(out))
}

// smoke runs two pods from an image of the cluster's own registry and a job
// that reaches them by the DNS name of their Service.
func (c *cluster) smoke(t *testing.T) {
	t.Helper()
	image, err := runecluster(t.Context(), "load", "smoke:v1", "--name", c.Name, "--binary", built.smoke)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile("testdata/smoke.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("IMAGE", image, "NAMESPACE", "smoke").Replace(string(manifest))
	c.kubectl(t, c.Kubeconfig, "", "create", "namespace", "smoke")
	// The namespace's service account comes a moment after it.
	c.kubectl(t, c.Kubeconfig, "", "-n", "smoke", "wait", "--for=create", "serviceaccount/default", "--timeout=1m")
	c.kubectl(t, c.Kubeconfig, text, "-n", "smoke", "apply", "-f", "-")
	c.kubectl(t, c.Kubeconfig, "", "-n", "smoke", "rollout", "status", "deployment/smoke", "--timeout="+patience.String())
	c.kubectl(t, c.Kubeconfig, "", "-n", "smoke", "wait", "--for=condition=Complete", "job/smoke", "--timeout="+patience.String())
	said := c.kubectl(t, c.Kubeconfig, "", "-n", "smoke", "logs", "job/smoke")
	if !strings.HasPrefix(said, "hello from smoke-") {
		t.Errorf("the client in cluster %q got %q, want the greeting of a pod of the Deployment", c.Name, said)
	}
}

// eventually waits until check returns nil.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waiting until %s: %v", what, err)
		case <-tick.C:
		}
	}
}

var errNotYet = errors.New("not yet")
