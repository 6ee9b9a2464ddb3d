package cli

import (
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// completionScript is what kubectl runs to complete a plugin's arguments; see
// https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/ ("kubectl_complete-").
const completionScript = `#!/bin/sh
exec kubectl rune __complete "$@"
`

const completionLong = `Print the program by which kubectl completes "kubectl rune ..." in your shell.

kubectl looks for an executable kubectl_complete-rune in PATH and asks it for commands, flags and the
names of deployments and releases. It works in every shell that completes kubectl itself.`

const completionExample = `  # Install completion for the current user
  kubectl rune completion > ~/.local/bin/kubectl_complete-rune
  chmod +x ~/.local/bin/kubectl_complete-rune`

func newCompletionCommand(streams genericiooptions.IOStreams) *cobra.Command {
	return &cobra.Command{
		Use:               "completion",
		Short:             "Print the program that completes \"kubectl rune\" in a shell",
		Long:              completionLong,
		Example:           completionExample,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprint(streams.Out, completionScript)
			return err
		},
	}
}
