//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runeframeos/kubectl-rune/test/testcluster"
)

// process runs rune-webhook as a plain process beside the cluster, and returns what stops it.
func (h *harness) process(t *testing.T) (stop func()) {
	t.Helper()
	return h.replica(t, h.address(t)).stop
}

// address is one of this machine's loopback that is free.
func (h *harness) address(t *testing.T) string {
	t.Helper()
	if h.cluster.Tier == testcluster.Existing {
		t.Skip("the API server of E2E_KUBECONFIG cannot be expected to reach a process on this machine's loopback")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return listener.Addr().String()
}

// replica is a running rune-webhook.
type replica struct {
	pid  int
	stop func()
	log  *record
}

// record keeps what a process prints while others read it.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (r *record) Write(content []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(content)
}

// String is all that was printed.
func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// replica runs rune-webhook at an address until it is stopped or the test ends.
func (h *harness) replica(t *testing.T, address string, args ...string) *replica {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	webhook := exec.CommandContext(ctx, filepath.Join(h.bin, "rune-webhook"), append([]string{
		"--kubeconfig", h.users["admin"], "--url", "https://" + address, "--host", "127.0.0.1",
	}, args...)...)
	log := &record{}
	webhook.Stdout, webhook.Stderr = log, log
	// As a Deployment stops it: what it knows may be written before it ends.
	webhook.Cancel = func() error { return webhook.Process.Signal(os.Interrupt) }
	webhook.WaitDelay = 20 * time.Second
	if err := webhook.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		cancel()
		_ = webhook.Wait()
	})
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("rune-webhook printed at last:\n%s", tail(log.String(), 40))
		}
		for _, kind := range []string{"mutatingwebhookconfiguration", "validatingwebhookconfiguration"} {
			cmd := h.command(context.Background(), "admin", h.cluster.Kubectl, "delete", kind, "rune-webhook", "--ignore-not-found")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("deleting the %s: %v\n%s", kind, err, out)
			}
		}
	})
	return &replica{pid: webhook.Process.Pid, stop: stop, log: log}
}

// memory returns VmRSS and VmHWM of proc_pid_status(5), in MiB.
func (r *replica) memory(t *testing.T) (resident, peak float64) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.pid))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the memory of a process is read from /proc, which this machine does not have")
	}
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]float64{}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[2] == "kB" {
			kib, err := strconv.ParseFloat(fields[1], 64)
			if err != nil {
				t.Fatalf("reading %q: %v", line, err)
			}
			read[fields[0]] = kib / 1024
		}
	}
	if read["VmRSS:"] == 0 || read["VmHWM:"] == 0 {
		t.Fatalf("no VmRSS or VmHWM in\n%s", status)
	}
	return read["VmRSS:"], read["VmHWM:"]
}

// forgetPeak lets the peak of the memory begin anew: the 5 of /proc/PID/clear_refs, proc_pid_clear_refs(5).
func (r *replica) forgetPeak(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", r.pid), []byte("5"), 0); err != nil {
		t.Fatalf("beginning the peak of the memory anew: %v", err)
	}
}
