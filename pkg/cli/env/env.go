package env

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
)

// patience is how long a person waits after pressing TAB.
const patience = 2 * time.Second

// NewCommand makes the command with its three verbs.
func NewCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "env",
		Aliases: []string{"environment", "environments"},
		Short:   "List, describe and set up the environments",
		Long: `Show the environments with their namespaces and rules, and give their namespaces the quotas, limit ranges,
network policies and Pod Security labels that the environments ask for.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newApply(flags, streams), newDescribe(flags, streams), newList(flags, streams))
	return cmd
}

// completeNames completes the first argument to the names of the Environments.
func completeNames(flags *genericclioptions.ConfigFlags, source *Source) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), patience)
		defer cancel()
		return Complete(ctx, flags, source), cobra.ShellCompDirectiveNoFileComp
	}
}

// Complete returns the names of the Environments, none where they cannot be read.
func Complete(ctx context.Context, flags *genericclioptions.ConfigFlags, source *Source) []string {
	connection, err := connect.Open(flags, io.Discard)
	if err != nil && source.Config == "" {
		return nil
	}
	environments, err := source.Environments(ctx, connection)
	if err != nil {
		return nil
	}
	var names []string
	for i := range environments {
		names = append(names, environments[i].Name)
	}
	return names
}
