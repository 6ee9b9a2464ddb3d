// Command kubectl-rune is the kubectl plugin `kubectl rune`. Here are streams, signals and the exit
// code; everything else is package cli.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/klog/v2"

	"github.com/runeframeos/kubectl-rune/pkg/cli"
	"github.com/runeframeos/kubectl-rune/pkg/cli/exit"
)

func main() { os.Exit(int(run(os.Args[1:]))) }

func run(args []string) exit.Code {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	go interrupt(cancel)

	// client-go logs what it makes of a request that we canceled ourselves. What a user reads on stderr is
	// ours to word, and every error that matters is returned.
	klog.SetLogger(logr.Discard())

	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	command := cli.NewCommand(streams)
	command.SetArgs(args)
	return exit.Report(streams.ErrOut, command.ExecuteContext(ctx))
}

// errInterrupted is the cause of a context that a signal ended.
var errInterrupted = errors.New("interrupted")

// interrupt lets the first signal end the command in order and the second one at once.
func interrupt(cancel context.CancelCauseFunc) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	<-signals
	cancel(errInterrupted)
	<-signals
	os.Exit(int(exit.Failed))
}
