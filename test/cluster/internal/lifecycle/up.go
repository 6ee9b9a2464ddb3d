package lifecycle

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/layout"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/machine"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/process"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/record"
)

// Options are what `up` is asked for.
type Options struct {
	Name string
	Tier machine.Tier
	// APIPort and RegistryPort are ports on 127.0.0.1, 0 for free ones.
	APIPort, RegistryPort int
}

// Up brings the cluster up, or finds it up, and returns what it is. What it
// does, and how long that takes, it reports on progress.
func Up(ctx context.Context, options Options, progress io.Writer) (*record.Info, error) {
	if err := layout.CheckName(options.Name); err != nil {
		return nil, err
	}
	paths, err := layout.PathsOf(options.Name)
	if err != nil {
		return nil, err
	}
	unlock, err := process.Lock(ctx, paths.Lock(), func() {
		fmt.Fprintf(progress, "waiting for another process that brings cluster %q up or down\n", options.Name)
	})
	if err != nil {
		return nil, err
	}
	defer unlock()

	found, err := find(ctx, paths, options)
	if err != nil || found != nil {
		return found, err
	}
	if err := clearState(ctx, paths, options.Name); err != nil {
		return nil, fmt.Errorf("clearing what is left of cluster %q: %w", options.Name, err)
	}
	tier, reason, err := machine.Choose(options.Tier, machine.Inspect())
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(progress, "cluster %q: tier %s (%s)\n", options.Name, tier, reason)
	began := time.Now()
	info := record.Info{
		Name: options.Name, Tier: string(tier), Reason: reason,
		StateDir: paths.State, Logs: paths.Logs(), Kubeconfig: paths.Kubeconfig(),
		RealPods: tier == machine.Node || tier == machine.Existing,
	}
	if err := os.MkdirAll(paths.Logs(), 0o755); err != nil {
		return nil, err
	}
	if tier == machine.Existing {
		return adopt(ctx, paths, info, progress)
	}
	u := &upping{options: options, paths: paths, tier: tier, info: info, progress: progress}
	if err := u.run(ctx); err != nil {
		return nil, err
	}
	fmt.Fprintf(progress, "cluster %q is ready after %.1f s\n", options.Name, time.Since(began).Seconds())
	return &u.info, nil
}

// find returns the cluster if it is up, nil if it is not. One of ours that runs
// but is not ready gets a moment.
func find(ctx context.Context, paths layout.Paths, options Options) (*record.Info, error) {
	known, err := record.Load(paths)
	if err != nil || known == nil || known.Init.PID == 0 || !known.Alive() {
		return nil, err
	}
	wanted := options.Tier
	if wanted != "" && wanted != machine.Auto && string(wanted) != known.Info.Tier {
		return nil, fmt.Errorf("bringing up cluster %q with tier %s: it is up with tier %s; take it down first: runecluster down --name %[1]s", options.Name, wanted, known.Info.Tier)
	}
	if err := awaitReady(ctx, &known.Info, 30*time.Second); err != nil {
		return nil, fmt.Errorf("using cluster %q, which runs: %w; take it down: runecluster down --name %[1]s", options.Name, err)
	}
	return &known.Info, nil
}

// Status returns what the cluster is, with Ready as it is now. It is not an
// error that there is none.
func Status(ctx context.Context, name string) (*record.Info, error) {
	if err := layout.CheckName(name); err != nil {
		return nil, err
	}
	paths, err := layout.PathsOf(name)
	if err != nil {
		return nil, err
	}
	known, err := record.Load(paths)
	if err != nil {
		return nil, err
	}
	if known == nil {
		return &record.Info{Name: name, StateDir: paths.State, Logs: paths.Logs(), Reason: "it is not up"}, nil
	}
	info := &known.Info
	if !known.Alive() {
		info.Ready, info.Reason = false, fmt.Sprintf("its process %d has ended", info.InitPID)
		return info, nil
	}
	info.Ready = awaitReady(ctx, info, 3*time.Second) == nil
	return info, nil
}

// Require returns the cluster if it is up, and an error that says how to bring
// it up if it is not.
func Require(name string) (*record.Info, error) {
	if err := layout.CheckName(name); err != nil {
		return nil, err
	}
	paths, err := layout.PathsOf(name)
	if err != nil {
		return nil, err
	}
	known, err := record.Load(paths)
	if err != nil {
		return nil, err
	}
	if known == nil || !known.Alive() {
		return nil, fmt.Errorf("using cluster %q: it is not up; bring it up: runecluster up --name %[1]s", name)
	}
	return &known.Info, nil
}

// Down takes the cluster down and removes everything of it: also what a crash
// has left. It reports whether there was anything.
func Down(ctx context.Context, name string, progress io.Writer) (bool, error) {
	if err := layout.CheckName(name); err != nil {
		return false, err
	}
	paths, err := layout.PathsOf(name)
	if err != nil {
		return false, err
	}
	unlock, err := process.Lock(ctx, paths.Lock(), func() {
		fmt.Fprintf(progress, "waiting for another process that brings cluster %q up or down\n", name)
	})
	if err != nil {
		return false, err
	}
	defer unlock()
	_, statErr := os.Stat(paths.State)
	if err := clearState(ctx, paths, name); err != nil {
		return true, fmt.Errorf("taking down cluster %q: %w", name, err)
	}
	return statErr == nil, os.Remove(paths.Lock())
}
