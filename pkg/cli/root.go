package cli

import (
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/runeframeos/kubectl-rune/pkg/cli/abort"
	"github.com/runeframeos/kubectl-rune/pkg/cli/approve"
	"github.com/runeframeos/kubectl-rune/pkg/cli/audit"
	"github.com/runeframeos/kubectl-rune/pkg/cli/canary"
	"github.com/runeframeos/kubectl-rune/pkg/cli/check"
	"github.com/runeframeos/kubectl-rune/pkg/cli/env"
	"github.com/runeframeos/kubectl-rune/pkg/cli/history"
	"github.com/runeframeos/kubectl-rune/pkg/cli/install"
	"github.com/runeframeos/kubectl-rune/pkg/cli/promote"
	"github.com/runeframeos/kubectl-rune/pkg/cli/resume"
	"github.com/runeframeos/kubectl-rune/pkg/cli/rollback"
	"github.com/runeframeos/kubectl-rune/pkg/cli/status"
	"github.com/runeframeos/kubectl-rune/pkg/cli/uninstall"
	"github.com/runeframeos/kubectl-rune/pkg/cli/verify"
	"github.com/runeframeos/kubectl-rune/pkg/cli/version"
)

const long = `Promote, canary and roll back plain Deployments, with approval by a second person and
verification at the door of each environment.

Exit codes of all commands:
  0  done
  1  error
  2  rolled back or aborted: the workload is as it was before
  3  stopped to wait for a person: approve, resume or abort
  4  denied by a policy
  5  timed out`

const usageTemplate = `Usage:
  {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND{{else}}{{.UseLine}}{{end}}
{{- if .HasExample}}

Examples:
{{.Example}}{{end}}
{{- if .HasAvailableSubCommands}}

Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}
{{- if .HasParent}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{end}}

{{if .HasAvailableSubCommands}}Use "{{.CommandPath}} COMMAND --help" for a command and "{{.Root.CommandPath}} options" for the flags that all take.
{{- else}}Use "{{.Root.CommandPath}} options" for the flags that all commands take (-n, --context, --as, ...).{{end}}
`

// NewCommand makes the command `kubectl rune`. Making it reads no file and sends no request.
func NewCommand(streams genericiooptions.IOStreams) *cobra.Command {
	root := &cobra.Command{
		Use:           "rune",
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl rune"},
		Short:         "Deliver Deployments safely: promote, canary, approve, roll back",
		Long:          long,
		Args:          unknownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceUsage:  true,
		SilenceErrors: true,
		// Edits by which a mistyped command may differ from one that exists.
		SuggestionsMinimumDistance: 2,
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	root.SetUsageTemplate(usageTemplate)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w: see `%s --help`", err, cmd.CommandPath())
	})
	root.CompletionOptions.DisableDefaultCmd = true

	flags := genericclioptions.NewConfigFlags(true)
	flags.AddFlags(root.PersistentFlags())
	root.AddCommand(
		abort.NewCommand(flags, streams),
		approve.NewCommand(flags, streams),
		audit.NewCommand(flags, streams),
		canary.NewCommand(flags, streams),
		check.NewCommand(flags, streams),
		newCompletionCommand(streams),
		env.NewCommand(flags, streams),
		history.NewCommand(flags, streams),
		install.NewCommand(flags, streams),
		newOptionsCommand(streams),
		promote.NewCommand(flags, streams),
		resume.NewCommand(flags, streams),
		rollback.NewCommand(flags, streams),
		status.NewCommand(flags, streams),
		uninstall.NewCommand(flags, streams),
		verify.NewCommand(flags, streams),
		version.NewCommand(flags, streams),
	)
	return root
}

// unknownCommand refuses what is no command, with the nearest names.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Errorf("unknown command %q, perhaps %q: see `%s --help`", args[0], near[0], cmd.CommandPath())
	}
	return fmt.Errorf("unknown command %q: see `%s --help`", args[0], cmd.CommandPath())
}

func newOptionsCommand(streams genericiooptions.IOStreams) *cobra.Command {
	return &cobra.Command{
		Use:               "options",
		Short:             "Print the flags that all commands take",
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(streams.Out, "All commands take these flags:\n\n%s", cmd.InheritedFlags().FlagUsages())
			return err
		},
	}
}
