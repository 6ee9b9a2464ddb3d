package abort

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
	"github.com/runeframeos/kubectl-rune/pkg/cli/terminal"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
)

// Options of the command.
type Options struct {
	Subject subject.Subject
	Restore bool
	Yes     bool
	Common  drive.Flags

	connection *connect.Connection
	genericiooptions.IOStreams
}

const long = `Take an unfinished release back: the old pods take all traffic, the new ones go, and the deployment is as
it was before.

A release that has ended is not touched: "kubectl rune rollback" goes back to an earlier one.`

const example = `  # Take back whatever is being released to deployment web
  kubectl rune abort deployment/web

  # Without a question, with a reason for the record
  kubectl rune abort release/web-7 --yes --reason "wrong image"`

// NewCommand makes the command.
func NewCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	o := &Options{IOStreams: streams}
	cmd := &cobra.Command{
		Use:               "abort (deployment/NAME | release/NAME)",
		Short:             "Take an unfinished release back",
		Long:              long,
		Example:           example,
		ValidArgsFunction: complete.Names(flags, subject.Deployment, subject.Release),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.Complete(flags, args); err != nil {
				return err
			}
			if err := o.Common.Validate(); err != nil {
				return err
			}
			return o.Run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&o.Restore, "restore", false, "also discard what another hand wrote into the deployment's template meanwhile")
	cmd.Flags().BoolVarP(&o.Yes, "yes", "y", false, "do not ask")
	o.Common.AddReasonFlag(cmd.Flags())
	return cmd
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

// Run takes the release back.
func (o *Options) Run(ctx context.Context) error {
	release, err := drive.Find(ctx, o.connection, o.Subject)
	if err != nil {
		return err
	}
	if release.Ended() {
		return fmt.Errorf("release/%s has ended (%s), so there is nothing to abort: `kubectl rune rollback deployment/%s -n %s` goes back to an earlier one",
			release.Name, release.Status.Phase, release.Spec.Workload.Name, release.Namespace)
	}
	question := fmt.Sprintf("Taking back release/%s of deployment/%s in namespace %s", release.Name, release.Spec.Workload.Name, release.Namespace)
	if err := terminal.Confirm(o.In, o.ErrOut, question, o.Yes); err != nil {
		return err
	}
	driver, err := drive.New(o.connection, o.IOStreams)
	if err != nil {
		return err
	}
	return driver.Abort(ctx, release, engine.AbortOptions{Reason: o.Common.Reason, RestoreTemplate: o.Restore})
}
