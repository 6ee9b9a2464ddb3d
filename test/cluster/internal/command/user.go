package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/lifecycle"
)

func newUser() *cobra.Command {
	var name string
	var groups []string
	command := &cobra.Command{
		Use:   "user NAME",
		Short: "Make a user with a client certificate and print the path of its kubeconfig",
		Long: `Make a user with a client certificate and print the path of its kubeconfig.

The user has no rights until RBAC gives it some.`,
		Example: `  runecluster user jane --group release-managers`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := lifecycle.User(cmd.Context(), name, args[0], groups)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), path)
			return nil
		},
	}
	nameFlag(command, &name)
	command.Flags().StringArrayVar(&groups, "group", nil, "group of the user (repeatable)")
	return command
}
