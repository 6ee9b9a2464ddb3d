package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/machine"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/process"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/readiness"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/record"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/sandbox"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/supervise"
)

// launch starts the cluster's first process, waits until the cluster is ready
// and then lets go of it. Until then the cluster lives only as long as this
// process holds the writing end of a pipe: if this one is killed, the cluster
// ends.
func (u *upping) launch(ctx context.Context) error {
	leash, hold, err := os.Pipe()
	if err != nil {
		return err
	}
	defer hold.Close()
	command, err := u.firstProcess(leash)
	leash.Close()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cancel(fmt.Errorf("the cluster's first process ended: %s", waitText(command.Wait())))
	}()
	err = u.bringUp(ctx, command.Process.Pid)
	if err == nil {
		_, err = hold.Write([]byte{supervise.Release})
	}
	if err == nil {
		return nil
	}
	err = u.explain(err)
	hold.Close()
	if killErr := command.Process.Kill(); killErr != nil && !errors.Is(killErr, os.ErrProcessDone) {
		return errors.Join(err, killErr)
	}
	<-ended
	return errors.Join(err, u.clearAfterFailure())
}

// clearAfterFailure leaves the state directory, for the logs in it; the next
// `up` or `down` removes it.
func (u *upping) clearAfterFailure() error {
	ctx, cancel := context.WithTimeout(context.Background(), clearTimeout) // the caller's may be over
	defer cancel()
	var problems []error
	if u.tier != machine.Node {
		problems = append(problems, killNoted(ctx, u.paths))
	}
	return errors.Join(append(problems, sandbox.RemoveCgroup(ctx, cgroupOf(u.options.Name)))...)
}

func waitText(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// firstProcess starts this program again as the first process of the cluster.
// Its descriptors from 3 up are the leash and the listeners.
func (u *upping) firstProcess(leash *os.File) (*exec.Cmd, error) {
	attributes := &syscall.SysProcAttr{Setsid: true}
	if u.tier == machine.Node {
		var err error
		if attributes, err = sandbox.Attributes(); err != nil {
			return nil, err
		}
	}
	files := []*os.File{leash}
	for _, listener := range u.listeners {
		file, err := listener.(*net.TCPListener).File()
		if err != nil {
			return nil, err
		}
		defer file.Close()
		files = append(files, file)
	}
	log, err := os.OpenFile(u.paths.Log("init"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	command := &exec.Cmd{
		Path: u.spec.Self, Args: []string{"runecluster", "init", "--state", u.paths.State}, Dir: "/",
		Env: withoutProxies(os.Environ()), Stdout: log, Stderr: log, ExtraFiles: files, SysProcAttr: attributes,
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("starting the cluster's first process: %w", err)
	}
	return command, nil
}

// withoutProxies drops the caller's HTTP proxies: nothing in the cluster
// reaches beyond it.
func withoutProxies(environment []string) []string {
	var kept []string
	for _, variable := range environment {
		name, _, _ := strings.Cut(variable, "=")
		switch strings.ToLower(name) {
		case "http_proxy", "https_proxy", "all_proxy", "no_proxy", "kubeconfig":
		default:
			kept = append(kept, variable)
		}
	}
	return kept
}

func (u *upping) bringUp(ctx context.Context, pid int) error {
	identity, err := process.Identify(pid, "init")
	if err != nil {
		return err
	}
	u.info.InitPID = pid
	known := &record.Record{Info: u.info, Init: identity, Cgroup: u.spec.Cgroup}
	if err := record.Save(u.paths, known); err != nil {
		return err
	}
	if err := u.awaitFresh(ctx); err != nil {
		return err
	}
	u.info.Ready = true
	known.Info = u.info
	return record.Save(u.paths, known)
}

// explain adds to an error what the guilty component has logged last.
func (u *upping) explain(err error) error {
	guilty := "init"
	var failure supervise.Failure
	var unmet *readiness.Unmet
	if found, readErr := record.ReadJSON(u.paths.Failure(), &failure); readErr == nil && found {
		guilty = failure.Component
		err = fmt.Errorf("%w: %w", err, &failure)
	} else if errors.As(err, &unmet) && unmet.Condition.Component != "" {
		guilty = unmet.Condition.Component
	}
	path := u.paths.Log(guilty)
	lines, readErr := tail(path, 25)
	if readErr != nil {
		lines = readErr.Error()
	}
	return fmt.Errorf("bringing up cluster %q: %w\nthe last lines of %s:\n%s\nall logs are in %s", u.options.Name, err, path, lines, u.paths.Logs())
}
