package resume

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/runeframeos/kubectl-rune/pkg/cli/complete"
	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
	"github.com/runeframeos/kubectl-rune/pkg/cli/drive"
	"github.com/runeframeos/kubectl-rune/pkg/cli/subject"
)

// Options of the command.
type Options struct {
	Subject subject.Subject

	connection *connect.Connection
	genericiooptions.IOStreams
}

const long = `Continue a release: one that was waiting for approval, or whose driver was killed, interrupted or cut off.

Anybody with the rights to change the deployment can continue it, from any machine. Where a living
process drives the release already, nothing is done.`

const example = `  # Continue the unfinished release of deployment web
  kubectl rune resume deployment/web

  # Continue a release by name, after its approval
  kubectl rune resume release/web-7 -n shop-prod`

// NewCommand makes the command.
func NewCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	o := &Options{IOStreams: streams}
	return &cobra.Command{
		Use:               "resume (deployment/NAME | release/NAME)",
		Short:             "Continue a release that was approved, interrupted or left alone",
		Long:              long,
		Example:           example,
		ValidArgsFunction: complete.Names(flags, subject.Deployment, subject.Release),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.Complete(flags, args); err != nil {
				return err
			}
			return o.Run(cmd.Context())
		},
	}
}

// Complete fills in what flags leave open.
func (o *Options) Complete(flags *genericclioptions.ConfigFlags, args []string) error {
	target, err := subject.Parse(args, subject.Deployment, subject.Release)
	if err != nil {
		return err
	}
	o.Subject = target
	o.connection, err = connect.Open(flags, o.ErrOut)
	return err
}

// Run continues the release. One that has ended is only reported, with the exit code of its end, so
// that resuming twice does no harm.
func (o *Options) Run(ctx context.Context) error {
	release, err := drive.Find(ctx, o.connection, o.Subject)
	if err != nil {
		return err
	}
	if release.Ended() {
		fmt.Fprintf(o.ErrOut, "release/%s has ended (%s): nothing to continue\n", release.Name, release.Status.Phase)
	}
	driver, err := drive.New(o.connection, o.IOStreams)
	if err != nil {
		return err
	}
	return driver.Run(ctx, release)
}
