//go:build cluster

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/process"
)

// kinds are the namespaces that a sandbox has for itself.
func kinds() []string { return []string{"mnt", "net", "pid"} }

func pids(t *testing.T) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			found = append(found, pid)
		}
	}
	return found
}

// parentOf returns the parent of a process, and whether the process is there.
func parentOf(pid int) (int, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 2 {
		return 0, false
	}
	parent, err := strconv.Atoi(fields[1])
	return parent, err == nil
}

// namespacesOf returns the namespaces of processes, without those of the
// machine.
func namespacesOf(t *testing.T, of []process.Identity) map[string]bool {
	t.Helper()
	own := map[string]bool{}
	for _, namespace := range namespaces(os.Getpid()) {
		own[namespace] = true
	}
	found := map[string]bool{}
	for _, identity := range of {
		for _, namespace := range namespaces(identity.PID) {
			if !own[namespace] {
				found[namespace] = true
			}
		}
	}
	if len(found) < len(kinds()) {
		t.Fatalf("the cluster's processes have only %v to themselves", found)
	}
	return found
}

// allNamespaces returns the namespaces of every process of the machine.
func allNamespaces(t *testing.T) map[int][]string {
	t.Helper()
	found := map[int][]string{}
	for _, pid := range pids(t) {
		found[pid] = namespaces(pid)
	}
	return found
}

func namespaces(pid int) []string {
	var found []string
	for _, kind := range kinds() {
		if namespace, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind)); err == nil {
			found = append(found, namespace)
		}
	}
	return found
}
