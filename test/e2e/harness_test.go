//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runeframeos/kubectl-rune/test/testcluster"
)

// patience bounds every wait for the cluster. It is generous, because machines are shared; nothing
// that works takes that long.
const patience = 2 * time.Minute

// harness is one cluster with Rune's programs beside it.
type harness struct {
	cluster *testcluster.Cluster
	bin     string            // directory of kubectl-rune and rune-webhook
	dir     string            // for files of the run
	users   map[string]string // kubeconfig by user
	cosign  string            // path of the cosign CLI, once something was signed
}

// shared is the harness of this test run, made by TestMain.
var shared *harness

func TestMain(m *testing.M) {
	os.Exit(runAll(m))
}

// runAll brings up one cluster for all tests of this run and takes it down whatever happens.
func runAll(m *testing.M) int {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "rune-e2e-")
	if err != nil {
		return complain(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	bin := os.Getenv("RUNE_BIN")
	if bin == "" {
		return complain(errors.New("RUNE_BIN is not set: run `make e2e`, which builds the programs"))
	}
	tier := os.Getenv("RUNE_TIER")
	cluster, err := testcluster.Up(ctx, testcluster.Options{Name: "rune-e2e-" + tier, Tier: tier})
	if err != nil {
		return complain(err)
	}
	defer func() {
		if err := cluster.Stop(ctx); err != nil {
			complain(err)
		}
	}()
	shared = &harness{cluster: cluster, bin: bin, dir: dir, users: map[string]string{"admin": cluster.Kubeconfig}}
	return m.Run()
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, "e2e:", err)
	return 1
}

// result of one command.
type result struct {
	command        string
	code           int
	stdout, stderr string
}

func (r result) String() string {
	return fmt.Sprintf("%s\nexit code %d\nstdout:\n%s\nstderr:\n%s", r.command, r.code, r.stdout, r.stderr)
}

// want fails the test unless the command ended with a code and printed all given texts.
func (r result) want(t *testing.T, code int, texts ...string) result {
	t.Helper()
	if r.code != code {
		t.Fatalf("got exit code %d, want %d:\n%s", r.code, code, r)
	}
	for _, text := range texts {
		if !strings.Contains(r.stdout+r.stderr, text) {
			t.Fatalf("the output lacks %q:\n%s", text, r)
		}
	}
	return r
}

// command prepares a program with the kubeconfig of a user; the plugin's directory is in its PATH.
func (h *harness) command(ctx context.Context, user, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(),
		"KUBECONFIG="+h.users[user],
		"PATH="+h.bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	return cmd
}

func (h *harness) run(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("running %s: %v", cmd, err)
	}
	return result{
		command: filepath.Base(cmd.Path) + " " + strings.Join(cmd.Args[1:], " "),
		code:    cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String(),
	}
}

// rune runs the plugin as a user.
func (h *harness) rune(t *testing.T, user string, args ...string) result {
	t.Helper()
	return h.run(t, h.command(t.Context(), user, filepath.Join(h.bin, "kubectl-rune"), args...))
}

// kubectl runs kubectl as a user.
func (h *harness) kubectl(t *testing.T, user string, args ...string) result {
	t.Helper()
	return h.run(t, h.command(t.Context(), user, h.cluster.Kubectl, args...))
}

// get returns one jsonpath of the cluster, as the administrator sees it.
func (h *harness) get(t *testing.T, jsonpath string, args ...string) string {
	t.Helper()
	return h.kubectl(t, "admin", append([]string{"get", "-o", "jsonpath=" + jsonpath}, args...)...).want(t, 0).stdout
}

// apply applies a manifest as a user.
func (h *harness) apply(t *testing.T, user, namespace, manifest string) result {
	t.Helper()
	cmd := h.command(t.Context(), user, h.cluster.Kubectl, "apply", "-n", namespace, "-f", "-")
	cmd.Stdin = strings.NewReader(manifest)
	return h.run(t, cmd)
}

// eventually waits until check returns nothing, and fails with its last word.
func eventually(t *testing.T, what string, check func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		missing := check()
		if missing == "" {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waiting for %s: %s", what, missing)
		case <-tick.C:
		}
	}
}

// namespace makes a namespace for one test and removes it afterwards.
func (h *harness) namespace(t *testing.T, name string) string {
	t.Helper()
	h.kubectl(t, "admin", "create", "namespace", name).want(t, 0)
	t.Cleanup(func() {
		cmd := h.command(context.Background(), "admin", h.cluster.Kubectl, "delete", "namespace", name, "--wait=false")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Logf("deleting namespace %s: %v\n%s", name, err, out)
		}
	})
	return name
}

// user gives a user of the cluster the roles named, everywhere, and remembers the kubeconfig.
func (h *harness) user(t *testing.T, name string, clusterRoles ...string) {
	t.Helper()
	if h.users[name] == "" {
		path, err := h.cluster.User(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		h.users[name] = path
	}
	for _, role := range clusterRoles {
		binding := `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":"` + name + "-" + role + `"},` +
			`"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"` + role + `"},` +
			`"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"` + name + `"}]}`
		h.apply(t, "admin", "default", binding).want(t, 0)
	}
}
