//go:build cluster

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/layout"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/machine"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/process"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/record"
)

func TestTwoClustersSideBySideBothWork(t *testing.T) {
	needNode(t)
	names := []string{"rune-test-a", "rune-test-b"}
	clusters := make([]*cluster, len(names))
	var both sync.WaitGroup
	for i, name := range names {
		t.Cleanup(func() {
			if _, err := runecluster(context.WithoutCancel(t.Context()), "down", "--name", name); err != nil {
				t.Error(err)
			}
		})
		both.Go(func() {
			out, err := runecluster(t.Context(), "up", "--name", name, "--tier", "node", "-o", "json")
			if err != nil {
				t.Error(err)
				return
			}
			clusters[i] = &cluster{}
			if err := json.Unmarshal([]byte(out), &clusters[i].Info); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if t.Failed() {
		t.FailNow()
	}
	if clusters[0].Server == clusters[1].Server || clusters[0].RegistryProxy == clusters[1].RegistryProxy {
		t.Fatalf("the clusters share an address: %+v and %+v", clusters[0], clusters[1])
	}
	t.Run("smoke", func(t *testing.T) {
		for _, c := range clusters {
			t.Run(c.Name, func(t *testing.T) {
				t.Parallel()
				c.smoke(t)
			})
		}
	})
}

func TestASecondUpFindsTheFirst(t *testing.T) {
	for _, tier := range []machine.Tier{machine.Node, machine.Kwok} {
		t.Run(string(tier), func(t *testing.T) {
			if tier == machine.Node {
				needNode(t)
			}
			first := up(t, "rune-test-again", tier)
			second := find(t, "rune-test-again", machine.Auto)
			if diff := cmp.Diff(first.Info, second.Info); diff != "" {
				t.Errorf("the second `up` printed something else (-first +second):\n%s", diff)
			}
		})
	}
}

func TestNothingIsLeftOfAKilledCluster(t *testing.T) {
	needNode(t)
	links := interfaces(t)
	c := up(t, "rune-test-kill", machine.Node)
	c.smoke(t) // pods, mounts and links that might stay
	running := descendants(t, c.InitPID)
	if len(running) < 10 { // the components, the shims and the pods
		t.Fatalf("found %d processes of the cluster, want its components and pods: %v", len(running), running)
	}
	namespaces := namespacesOf(t, running)

	if err := syscall.Kill(c.InitPID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for _, identity := range running {
		eventually(t, "process "+identity.Name+" has ended", func() error {
			if identity.Alive() {
				return errNotYet
			}
			return nil
		})
	}
	eventually(t, "no process is in a namespace of the cluster", func() error {
		for pid, held := range allNamespaces(t) {
			for _, namespace := range held {
				if namespaces[namespace] {
					return fmt.Errorf("process %d is in %s", pid, namespace)
				}
			}
		}
		return nil
	})
	if diff := cmp.Diff(links, interfaces(t)); diff != "" {
		t.Errorf("links have changed (-before +after):\n%s", diff)
	}
	if mounts := mountsBelow(t, c.StateDir); len(mounts) > 0 {
		t.Errorf("mounts are left: %v", mounts)
	}

	if _, err := runecluster(t.Context(), "down", "--name", c.Name); err != nil {
		t.Fatal(err)
	}
	if left := traces(t, c.Name); len(left) > 0 {
		t.Errorf("`down` left %v", left)
	}
	again := find(t, c.Name, machine.Node)
	if !again.Ready || again.InitPID == c.InitPID {
		t.Errorf("after the crash `up` printed %+v, want a new cluster that is ready", again.Info)
	}
}

func TestNothingIsLeftOfAKilledControlPlane(t *testing.T) {
	c := up(t, "rune-test-plane", machine.Kwok)
	running := descendants(t, c.InitPID)
	if len(running) < 7 {
		t.Fatalf("found %d processes of the cluster, want all its components: %v", len(running), running)
	}
	if err := syscall.Kill(c.InitPID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for _, identity := range running {
		eventually(t, "process "+identity.Name+" has ended", func() error {
			if identity.Alive() {
				return errNotYet
			}
			return nil
		})
	}
}

func TestNothingIsLeftOfAKilledUp(t *testing.T) {
	for _, tier := range []machine.Tier{machine.Node, machine.Kwok} {
		t.Run(string(tier), func(t *testing.T) {
			if tier == machine.Node {
				needNode(t)
			}
			const name = "rune-test-killed-up"
			paths, err := layout.PathsOf(name)
			if err != nil {
				t.Fatal(err)
			}
			down := func() {
				if _, err := runecluster(context.WithoutCancel(t.Context()), "down", "--name", name); err != nil {
					t.Error(err)
				}
			}
			down()
			t.Cleanup(down)
			// Killed as soon as the cluster's first process is known.
			bringing := exec.Command(built.runecluster, "up", "--name", name, "--tier", string(tier))
			if err := bringing.Start(); err != nil {
				t.Fatal(err)
			}
			var known *record.Record
			eventually(t, "the cluster's first process is noted", func() error {
				var err error
				if known, err = record.Load(paths); err != nil || known == nil {
					return errNotYet
				}
				return nil
			})
			if err := bringing.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := bringing.Wait(); err == nil {
				t.Fatal("`up` ended well before it was killed; kill it earlier")
			}
			eventually(t, "the cluster has ended", func() error {
				if known.Init.Alive() {
					return errNotYet
				}
				return nil
			})
		})
	}
}

func TestAUserIsWhoTheCertificateSays(t *testing.T) {
	c := up(t, "rune-test-user", machine.Kwok)
	kubeconfig, err := runecluster(t.Context(), "user", "jane", "--name", c.Name, "--group", "release-managers")
	if err != nil {
		t.Fatal(err)
	}
	got := c.kubectl(t, kubeconfig, "", "auth", "whoami", "-o", "jsonpath={.status.userInfo.username} {.status.userInfo.groups}")
	if want := `jane ["release-managers","system:authenticated"]`; got != want {
		t.Errorf("the API server takes the user for %s, want %s", got, want)
	}
}

// traces returns what is on the machine of a cluster that is down.
func traces(t *testing.T, name string) []string {
	t.Helper()
	paths, err := layout.PathsOf(name)
	if err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob("/sys/fs/cgroup/*/rune-cluster-" + name)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{paths.State, paths.Lock(), "/sys/fs/cgroup/rune-cluster-" + name} {
		if _, err := os.Lstat(path); err == nil {
			left = append(left, path)
		}
	}
	return append(left, mountsBelow(t, paths.State)...)
}

// interfaces returns the names of the machine's network links.
func interfaces(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("/sys/class/net")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// mountsBelow returns the machine's mounts that have to do with a directory.
func mountsBelow(t *testing.T, dir string) []string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, dir) {
			found = append(found, line)
		}
	}
	return found
}

// descendants returns the process and all that come from it.
func descendants(t *testing.T, root int) []process.Identity {
	t.Helper()
	children := map[int][]int{}
	for _, pid := range pids(t) {
		if parent, ok := parentOf(pid); ok {
			children[parent] = append(children[parent], pid)
		}
	}
	var found []process.Identity
	for queue := []int{root}; len(queue) > 0; queue = queue[1:] {
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", queue[0])) // for messages
		if identity, err := process.Identify(queue[0], strings.TrimSpace(string(name))); err == nil {
			found = append(found, identity)
		}
		queue = append(queue, children[queue[0]]...)
	}
	return found
}
