package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/lifecycle"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/machine"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/toolchain"
)

func newTool() *cobra.Command {
	return &cobra.Command{
		Use:   "tool PROGRAM",
		Short: "Print the path of a program such as kubectl, cosign or kwok, after building it if need be",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			tool, ok := toolchain.Find(args[0])
			if !ok {
				return fmt.Errorf("looking for program %q: there are %s", args[0], strings.Join(programs(), ", "))
			}
			cache, err := toolchain.NewCache(cmd.Context(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			binaries, err := cache.Ensure(cmd.Context(), tool.Name)
			if err != nil {
				return err
			}
			path, ok := binaries[args[0]]
			if !ok { // the name of the tool and not of a program of it
				path = binaries[tool.Binaries[0]]
			}
			fmt.Fprintln(cmd.OutOrStdout(), path)
			return nil
		},
	}
}

func programs() []string {
	var names []string
	for _, tool := range toolchain.Tools() {
		names = append(append(names, tool.Binaries...), tool.Links...)
	}
	slices.Sort(names)
	return names
}

func newBuild() *cobra.Command {
	var tier string
	command := &cobra.Command{
		Use:   "build",
		Short: "Build all that a tier needs, without bringing anything up",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			chosen, reason, err := machine.Choose(machine.Tier(tier), machine.Inspect())
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "tier %s (%s)\n", chosen, reason)
			cache, err := toolchain.NewCache(cmd.Context(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			_, err = cache.Ensure(cmd.Context(), lifecycle.ToolsOf(chosen)...)
			return err
		},
	}
	command.Flags().StringVar(&tier, "tier", string(machine.Auto), "the tier to build for")
	return command
}
