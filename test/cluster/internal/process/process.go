package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// Identity is a process number together with what tells that process from a
// later one with the same number.
type Identity struct {
	PID int `json:"pid"`
	// Born is opaque: on Linux the boot and the start time in clock ticks.
	Born string `json:"born"`
	// Name is for people; nothing is decided by it.
	Name string `json:"name,omitempty"`
}

// Identify returns the identity of the running process pid.
func Identify(pid int, name string) (Identity, error) {
	born, err := birth(pid)
	if err != nil {
		return Identity{}, fmt.Errorf("identifying process %d (%s): %w", pid, name, err)
	}
	return Identity{PID: pid, Born: born, Name: name}, nil
}

// Alive reports whether that very process still runs. A zombie does not run.
func (i Identity) Alive() bool {
	if i.PID <= 0 || i.Born == "" {
		return false
	}
	born, err := birth(i.PID)
	return err == nil && born == i.Born
}

// Kill ends the process, if it still is that process, and waits until it is
// gone or ctx ends.
func (i Identity) Kill(ctx context.Context) error {
	if !i.Alive() {
		return nil
	}
	if err := syscall.Kill(i.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("killing process %d (%s): %w", i.PID, i.Name, os.NewSyscallError("kill", err))
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i.Alive() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for process %d (%s) to end: %w", i.PID, i.Name, context.Cause(ctx))
		case <-tick.C:
		}
	}
	return nil
}
