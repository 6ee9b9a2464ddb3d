package lifecycle

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/layout"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/machine"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/process"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/record"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/sandbox"
)

// clearTimeout bounds the wait for the kernel to take a cluster's processes.
const clearTimeout = 30 * time.Second

// cgroupOf is the name of the cgroup of the cluster's node.
func cgroupOf(name string) string { return "rune-cluster-" + name }

// clearState ends what runs of the cluster and removes its cgroup and its
// state directory. Processes are known by number and birth, so that a number
// that was given to another process by now ends nothing.
func clearState(ctx context.Context, paths layout.Paths, name string) error {
	ctx, cancel := context.WithTimeout(ctx, clearTimeout)
	defer cancel()
	known, err := record.Load(paths)
	if err != nil {
		known = nil // what cannot be read cannot be used, and is removed
	}
	var problems []error
	if known != nil {
		problems = append(problems, known.Init.Kill(ctx))
		// The numbers that a sandbox's supervisor notes are those of its own
		// namespace; they ended with its first process.
		if known.Info.Tier != string(machine.Node) {
			problems = append(problems, killNoted(ctx, paths))
		}
	}
	problems = append(problems, sandbox.RemoveCgroup(ctx, cgroupOf(name)))
	if err := errors.Join(problems...); err != nil {
		return err
	}
	return os.RemoveAll(paths.State)
}

// killNoted ends the processes that the supervisor has noted.
func killNoted(ctx context.Context, paths layout.Paths) error {
	var noted []process.Identity
	if _, err := record.ReadJSON(paths.Processes(), &noted); err != nil {
		return err
	}
	var problems []error
	for _, identity := range noted {
		problems = append(problems, identity.Kill(ctx))
	}
	return errors.Join(problems...)
}
