package command

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/component"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/forward"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/images"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/layout"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/record"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/sandbox"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/supervise"
)

// listeners is how many sockets `up` opens on the host: for the API server and
// for the proxy, in this order.
const listeners = 2

// hidden returns a command that only this program runs, inside a cluster.
func hidden(use, short string, run func(ctx context.Context, spec component.Spec) error) *cobra.Command {
	var state string
	command := &cobra.Command{
		Use: use, Short: short, Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var spec component.Spec
			found, err := record.ReadJSON(layout.Paths{State: state}.Spec(), &spec)
			if err != nil {
				return err
			}
			if !found {
				return fmt.Errorf("reading the cluster's specification: nothing in %s", state)
			}
			return run(cmd.Context(), spec)
		},
	}
	command.Flags().StringVar(&state, "state", "", "state directory of the cluster")
	return command
}

// inherited returns the descriptors from first up that were passed to this
// process, closed on exec as all others are.
func inherited(first, count int) []*os.File {
	var files []*os.File
	for fd := first; fd < first+count; fd++ {
		syscall.CloseOnExec(fd)
		files = append(files, os.NewFile(uintptr(fd), fmt.Sprintf("inherited-%d", fd)))
	}
	return files
}

// newInit returns the command of a cluster's first process. With a real node it
// is PID 1 of the sandbox and starts the supervisor; without, it is the
// supervisor.
func newInit() *cobra.Command {
	return hidden("init", "Be a cluster's first process", func(ctx context.Context, spec component.Spec) error {
		// The terminal and the shell that brought the cluster up may go.
		signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
		files := inherited(3, 1+listeners)
		torn := supervise.Leash(files[0])
		go func() {
			<-torn
			log.Print("whoever brought this cluster up was gone before it was up; ending")
			os.Exit(1)
		}()
		if !spec.Node {
			return supervised(ctx, spec, files[1:])
		}
		if err := sandbox.Prepare(spec); err != nil {
			return err
		}
		child, err := os.StartProcess(spec.Self, []string{"runecluster", "supervise", "--state", spec.Paths.State}, &os.ProcAttr{
			Dir: "/", Files: append([]*os.File{nil, os.Stdout, os.Stderr}, files[1:]...),
		})
		if err != nil {
			return fmt.Errorf("starting the supervisor: %w", err)
		}
		return sandbox.Reap(child)
	})
}

func newSupervise() *cobra.Command {
	return hidden("supervise", "Run the components of a cluster", func(ctx context.Context, spec component.Spec) error {
		return supervised(ctx, spec, inherited(3, listeners))
	})
}

func supervised(ctx context.Context, spec component.Spec, files []*os.File) error {
	get, err := supervise.NewGetter(spec.Paths.Kubeconfig())
	if err != nil {
		return err
	}
	return supervise.New(spec.Paths, files).Run(ctx, component.Stages(spec), get)
}

func newRegistry() *cobra.Command {
	return hidden("registry", "Serve the cluster's registry", func(_ context.Context, spec component.Spec) error {
		return images.ServeRegistry(spec.Addresses.Registry, spec.Paths.Data("registry"))
	})
}

func newForward() *cobra.Command {
	return hidden("forward", "Let callers on the host reach the cluster", func(ctx context.Context, spec component.Spec) error {
		opened, err := listenersOf(inherited(3, listeners))
		if err != nil {
			return err
		}
		dns := ""
		if spec.Node {
			dns = net.JoinHostPort(spec.Network.DNSService().String(), "53")
		}
		ended := make(chan error, listeners)
		go func() { ended <- forward.Tunnel(ctx, opened[0], spec.Addresses.API) }()
		go func() { ended <- forward.NewProxy(spec.Addresses.Registry, dns).Serve(opened[1]) }()
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
			return nil
		}
	})
}

func listenersOf(files []*os.File) ([]net.Listener, error) {
	var opened []net.Listener
	var problems []error
	for _, file := range files {
		listener, err := net.FileListener(file)
		problems = append(problems, err, file.Close())
		opened = append(opened, listener)
	}
	return opened, errors.Join(problems...)
}
