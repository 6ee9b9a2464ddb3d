package process

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestKillEndsExactlyTheProcessThatWasIdentified(t *testing.T) {
	child := exec.Command("sleep", "600")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	reaped := make(chan error, 1)
	go func() { reaped <- child.Wait() }()
	identity, err := Identify(child.Process.Pid, "sleep")
	if err != nil {
		t.Fatal(err)
	}

	// The same number with another birth is another process.
	other := identity
	other.Born = "earlier"
	if err := other.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !identity.Alive() {
		t.Fatal("a process was ended that only shares the number")
	}
	if err := identity.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if identity.Alive() {
		t.Error("the process still runs")
	}
	if err := <-reaped; err == nil {
		t.Error("the process ended by itself, want killed")
	}
	if err := identity.Kill(t.Context()); err != nil {
		t.Errorf("killing it once more: %v", err)
	}
}

func TestLockKeepsOthersOutUntilItIsGivenBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "locks", "one")
	unlock, err := Lock(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	waits := make(chan struct{})
	got := make(chan error, 1)
	go func() {
		second, err := Lock(t.Context(), path, func() { close(waits) })
		if err == nil {
			second()
		}
		got <- err
	}()
	<-waits
	select {
	case err := <-got:
		t.Fatalf("the second got the lock while the first held it (%v)", err)
	default:
	}
	// Whoever holds it may remove it: the one who waits must not keep the lock
	// of a file that nobody finds any more.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	unlock()
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the second locked a file that is not there: %v", err)
	}
}

func TestLockGivesUpWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "one")
	unlock, err := Lock(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Lock(ctx, path, cancel); err == nil {
		t.Error("got the lock twice")
	}
}
