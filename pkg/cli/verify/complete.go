package verify

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
)

// patience is how long a person waits after pressing TAB.
const patience = 2 * time.Second

// addCompletion completes the names of environments and policies, from where they would be read.
func (o *Options) addCompletion(cmd *cobra.Command, flags *genericclioptions.ConfigFlags) {
	from := func(names func(*settings) []string) cobra.CompletionFunc {
		return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			ctx, cancel := context.WithTimeout(cmd.Context(), patience)
			defer cancel()
			return o.completions(ctx, flags, names), cobra.ShellCompDirectiveNoFileComp
		}
	}
	// The only error is a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("environment", from((*settings).environmentNames))
	_ = cmd.RegisterFlagCompletionFunc("policy", from((*settings).policyNames))
}

// completions are none where the configuration cannot be read.
func (o *Options) completions(ctx context.Context, flags *genericclioptions.ConfigFlags, names func(*settings) []string) []string {
	if len(o.Config) == 0 {
		connection, err := connect.Open(flags, io.Discard)
		if err != nil {
			return nil
		}
		o.connection = connection
	}
	found, err := o.settings(ctx)
	if err != nil {
		return nil
	}
	return names(found)
}
