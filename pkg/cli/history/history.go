package history

import (
	"context"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/complete"
	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
	"github.com/runeframeos/kubectl-rune/pkg/cli/output"
	"github.com/runeframeos/kubectl-rune/pkg/cli/subject"
	"github.com/runeframeos/kubectl-rune/pkg/cli/terminal"
	"github.com/runeframeos/kubectl-rune/pkg/view"
)

// Options of the command.
type Options struct {
	Workload string
	Output   output.Format

	// Clock is the real one but in tests.
	Clock      clock.PassiveClock
	connection *connect.Connection
	genericiooptions.IOStreams
}

const example = `  # What was released to deployment web, by whom, and how did it end?
  kubectl rune history deployment/web

  # The same for a script
  kubectl rune history deployment/web -o json`

// NewCommand makes the command.
func NewCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	o := &Options{IOStreams: streams, Clock: clock.RealClock{}}
	cmd := &cobra.Command{
		Use:   "history deployment/NAME",
		Short: "List the releases of a deployment, the newest first",
		Long: `List the releases of a deployment, the newest first.

REVISION is the deployment's revision that has the release's template, for "kubectl rune rollback
--to-revision"; <none> where the template is not in the deployment's history any more.`,
		Example:           example,
		ValidArgsFunction: complete.Names(flags, subject.Deployment),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.Complete(flags, args); err != nil {
				return err
			}
			if err := o.Output.Validate(); err != nil {
				return err
			}
			return o.Run(cmd.Context())
		},
	}
	o.Output.AddFlag(cmd)
	return cmd
}

// Complete fills in what flags leave open.
func (o *Options) Complete(flags *genericclioptions.ConfigFlags, args []string) error {
	target, err := subject.Parse(args, subject.Deployment)
	if err != nil {
		return err
	}
	o.Workload = target.Name
	o.connection, err = connect.Open(flags, o.ErrOut)
	return err
}

// Run prints the list.
func (o *Options) Run(ctx context.Context) error {
	var deployment *appsv1.Deployment
	var releases []v1alpha1.Release
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		deployment, err = o.connection.Deployment(groupCtx, o.connection.Namespace, o.Workload)
		return err
	})
	group.Go(func() (err error) {
		releases, err = o.connection.Releases(groupCtx, o.connection.Namespace, o.Workload)
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	sets, err := o.connection.ReplicaSets(ctx, deployment)
	if err != nil {
		return err
	}
	entries := view.History(deployment, sets, releases, o.Clock.Now())
	if o.Output.Structured() {
		return o.Output.Print(o.Out, entries)
	}
	return terminal.Draw(o.Out, view.HistoryLines(entries), false)
}
