package uninstall

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/dynamic"

	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
	"github.com/runeframeos/kubectl-rune/pkg/cli/terminal"
)

// Options of the command.
type Options struct {
	Yes     bool
	Purge   bool
	Timeout time.Duration

	client dynamic.Interface
	// host is the API server, for the question.
	host string
	// poll is how often a state that is waited for is looked at.
	poll time.Duration
	genericiooptions.IOStreams
}

const long = `Take Rune's webhook out of the current cluster. From then on nothing is judged any more.

Kept are the kinds with all Environments, ImagePolicies, Releases and Approvals, and the namespace
rune-system with the key that sealed them, so that a later install goes on where this one ended.
--purge deletes these too.`

const example = `  # Take the webhook away, keep what people made
  kubectl rune uninstall

  # Take away everything, Environments and the record of all releases included
  kubectl rune uninstall --purge --yes`

// NewCommand makes the command.
func NewCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	o := &Options{IOStreams: streams, poll: 500 * time.Millisecond}
	cmd := &cobra.Command{
		Use:               "uninstall [--purge]",
		Short:             "Take the admission webhook out of the cluster",
		Long:              long,
		Example:           example,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Complete(flags); err != nil {
				return err
			}
			return o.Run(cmd.Context())
		},
	}
	cmd.Flags().BoolVarP(&o.Yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&o.Purge, "purge", false, "also delete the kinds with all their objects, and the namespace rune-system")
	cmd.Flags().DurationVar(&o.Timeout, "timeout", 2*time.Minute, "how long to wait for the webhook to end")
	return cmd
}

// Complete fills in what flags leave open.
func (o *Options) Complete(flags *genericclioptions.ConfigFlags) error {
	if o.Timeout <= 0 {
		return fmt.Errorf("--timeout=%s: write a duration above 0, such as 2m", o.Timeout)
	}
	connection, err := connect.Open(flags, o.ErrOut)
	if err != nil {
		return err
	}
	o.host = connection.Config.Host
	o.client, err = dynamic.NewForConfig(connection.Config)
	if err != nil {
		return fmt.Errorf("making client: %w", err)
	}
	return nil
}

// Run uninstalls.
func (o *Options) Run(ctx context.Context) error {
	question := "take Rune's webhook out of the cluster " + o.host
	if o.Purge {
		question += " and delete all Environments, ImagePolicies, Releases and Approvals"
	}
	if err := terminal.Confirm(o.In, o.ErrOut, question, o.Yes); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	return o.takeAway(ctx)
}
