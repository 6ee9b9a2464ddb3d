package sandbox

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/component"
)

// Attributes are what a process must be started with to become a sandbox's
// first: in a session of its own, so that no terminal's signals reach it.
func Attributes() (*syscall.SysProcAttr, error) {
	return &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
	}, nil
}

// Prepare makes the machine that the calling process sees that of the cluster's
// node. The process must be the first of its namespaces.
func Prepare(spec component.Spec) error {
	if os.Getpid() != 1 {
		return errors.New("preparing the sandbox: this is not the first process of a PID namespace")
	}
	if err := unix.Sethostname([]byte(spec.NodeName())); err != nil {
		return fmt.Errorf("setting the host name: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	spec.Snapshotter = snapshotter(spec.Paths.Data("probe"))
	if err := component.WriteNodeConfig(spec); err != nil {
		return err
	}
	if err := mountOwn(spec); err != nil {
		return err
	}
	if err := configureNetwork(spec.Network); err != nil {
		return err
	}
	return CreateCgroup(spec.Cgroup)
}

// Reap runs a child of PID 1 and collects whatever else ends in the sandbox,
// until that child has ended.
func Reap(child *os.Process) error {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return os.NewSyscallError("wait4", err)
		case pid == child.Pid:
			return fmt.Errorf("the supervisor ended: %s", describe(status))
		}
	}
}

func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "signal: " + status.Signal().String()
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}
