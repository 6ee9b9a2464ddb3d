package command

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/record"
)

// New returns the program's command.
func New() *cobra.Command {
	root := &cobra.Command{
		Use:           "runecluster",
		Short:         "Run a Kubernetes cluster for tests and the demo",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(
		newUp(), newDown(), newStatus(), newLoad(), newTool(), newBuild(), newUser(), newLogs(),
		newInit(), newSupervise(), newRegistry(), newForward(),
	)
	return root
}

// nameFlag adds the flag that says which cluster is meant.
func nameFlag(command *cobra.Command, name *string) {
	command.Flags().StringVar(name, "name", "rune", "name of the cluster")
}

// outputFlag adds the flag that says how the result is printed.
func outputFlag(command *cobra.Command, output *string) {
	command.Flags().StringVarP(output, "output", "o", "text", "how to print the result: text or json")
}

func checkOutput(output string) error {
	if output != "text" && output != "json" {
		return fmt.Errorf("reading output format %q: want text or json", output)
	}
	return nil
}

func printInfo(out io.Writer, output string, info *record.Info) error {
	if output == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(info)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(table, "%s\t%s\n", name, value)
		}
	}
	row("NAME", info.Name)
	row("READY", fmt.Sprint(info.Ready))
	row("TIER", info.Tier)
	row("REASON", info.Reason)
	row("KUBECONFIG", info.Kubeconfig)
	row("SERVER", info.Server)
	row("VERSION", info.KubernetesVersion)
	row("KUBECTL", info.Kubectl)
	row("REGISTRY", info.Registry)
	row("REGISTRY PROXY", info.RegistryProxy)
	row("LOGS", info.Logs)
	return table.Flush()
}
