package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/component"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/layout"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/process"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/record"
)

// readyTimeout bounds the wait for one component. Starting takes seconds on an
// idle machine; a busy one must not fail for being busy.
const readyTimeout = 3 * time.Minute

// Failure is what ended the cluster.
type Failure struct {
	Component string `json:"component"`
	Reason    string `json:"reason"`
	Log       string `json:"log"`
}

// Error says which component failed, why, and where its log is.
func (f *Failure) Error() string {
	return fmt.Sprintf("running %s: %s (log: %s)", f.Component, f.Reason, f.Log)
}

// Supervisor runs the components of one cluster.
type Supervisor struct {
	paths     layout.Paths
	listeners []*os.File
	starts    chan start
	ended     chan *Failure
	processes []process.Identity
}

// start asks the starting thread to start one command.
type start struct {
	command *exec.Cmd
	result  chan error
}

// New returns a supervisor. The listeners are passed on to the component that
// wants them, as its file descriptors from 3 up.
func New(paths layout.Paths, listeners []*os.File) *Supervisor {
	s := &Supervisor{paths: paths, listeners: listeners, starts: make(chan start), ended: make(chan *Failure)}
	go s.startOnOneThread()
	return s
}

// startOnOneThread starts every child from one thread that lives as long as
// the process. Linux kills a child with PR_SET_PDEATHSIG when the thread that
// started it ends, and the Go runtime ends threads as it likes.
func (s *Supervisor) startOnOneThread() {
	runtime.LockOSThread()
	for request := range s.starts {
		request.result <- request.command.Start()
	}
}

// Run starts the stages and returns when a component has ended, with a
// *Failure, or when ctx has. The children end with this process.
func (s *Supervisor) Run(ctx context.Context, stages [][]component.Component, get Getter) error {
	for _, stage := range stages {
		for _, c := range stage {
			if err := s.start(ctx, c); err != nil {
				return s.report(&Failure{Component: c.Name, Reason: err.Error(), Log: s.paths.Log(c.Name)})
			}
		}
		for _, c := range stage {
			if err := s.awaitReady(ctx, c, get); err != nil {
				return s.report(err)
			}
		}
	}
	select {
	case failure := <-s.ended:
		return s.report(failure)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// report writes the failure where `up` looks for it.
func (s *Supervisor) report(err error) error {
	var failure *Failure
	if !errors.As(err, &failure) {
		return err
	}
	return errors.Join(err, record.WriteJSON(s.paths.Failure(), failure))
}

func (s *Supervisor) start(ctx context.Context, c component.Component) error {
	log, err := os.OpenFile(s.paths.Log(c.Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	command := &exec.Cmd{
		Path: c.Program, Args: c.Args, Dir: "/", Env: append(os.Environ(), c.Env...),
		Stdout: log, Stderr: log, SysProcAttr: dieWithParent(),
	}
	if c.Listeners {
		command.ExtraFiles = s.listeners
	}
	result := make(chan error)
	s.starts <- start{command, result}
	if err := <-result; err != nil {
		return err
	}
	identity, err := process.Identify(command.Process.Pid, c.Name)
	switch {
	case err == nil:
		s.processes = append(s.processes, identity)
		err = record.WriteJSON(s.paths.Processes(), s.processes)
	case errors.Is(err, syscall.ESRCH):
		// It has ended already. Waiting for it says why, and that is the reason to report.
		err = nil
	}
	go func() {
		ended := &Failure{Component: c.Name, Reason: "it ended by itself", Log: s.paths.Log(c.Name)}
		if err := command.Wait(); err != nil {
			ended.Reason = err.Error()
		}
		select {
		case s.ended <- ended:
		case <-ctx.Done():
		}
	}()
	return err
}

// Getter asks a URL and returns nil for an answer of 200.
type Getter func(ctx context.Context, url string) error

// awaitReady asks the component's probe until it is content, and stops when
// any component ends.
func (s *Supervisor) awaitReady(ctx context.Context, c component.Component, get Getter) error {
	deadline, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask(deadline, c.Ready, get)
		if err == nil {
			return nil
		}
		select {
		case failure := <-s.ended:
			return failure
		case <-deadline.Done():
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return &Failure{Component: c.Name, Reason: fmt.Sprintf("not ready after %s: %v", readyTimeout, err), Log: s.paths.Log(c.Name)}
		case <-tick.C:
		}
	}
}
