package command

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/lifecycle"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/machine"
)

func newUp() *cobra.Command {
	var options lifecycle.Options
	var tier, output string
	command := &cobra.Command{
		Use:   "up",
		Short: "Bring a cluster up, or find it up, and print how to use it",
		Long: `Bring a cluster up, or find it up, and print how to use it.

The tiers, and what auto prefers first:
  existing  the cluster of E2E_KUBECONFIG, such as kind; E2E_REGISTRY names a
            registry that its nodes and you reach
  assets    etcd and kube-apiserver from KUBEBUILDER_ASSETS, nothing else
  node      a control plane and a real node in namespaces of its own (Linux, root)
  kwok      a control plane and fake nodes`,
		Example: `  runecluster up
  export KUBECONFIG=$(runecluster up -o json | jq -r .kubeconfig)`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			options.Tier = machine.Tier(tier)
			info, err := lifecycle.Up(cmd.Context(), options, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if err := printInfo(cmd.OutOrStdout(), output, info); err != nil {
				return err
			}
			if output == "text" {
				fmt.Fprintf(cmd.ErrOrStderr(), "\nuse it:        export KUBECONFIG=%s\ntake it down:  runecluster down --name %s\n", info.Kubeconfig, info.Name)
			}
			return nil
		},
	}
	nameFlag(command, &options.Name)
	outputFlag(command, &output)
	command.Flags().StringVar(&tier, "tier", string(machine.Auto), "how much of a cluster: auto, existing, assets, node or kwok")
	command.Flags().IntVar(&options.APIPort, "api-port", 0, "port of the API server on 127.0.0.1 (0: a free one)")
	command.Flags().IntVar(&options.RegistryPort, "registry-port", 0, "port of the HTTP proxy to the registry on 127.0.0.1 (0: a free one)")
	return command
}

func newDown() *cobra.Command {
	var name string
	command := &cobra.Command{
		Use:   "down",
		Short: "Take a cluster down and remove everything of it, also after a crash",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			was, err := lifecycle.Down(cmd.Context(), name, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if was {
				fmt.Fprintf(cmd.OutOrStdout(), "cluster %q is down\n", name)
			} else {
				fmt.Fprintf(cmd.OutOrStdout(), "cluster %q was not up\n", name)
			}
			return nil
		},
	}
	nameFlag(command, &name)
	return command
}

func newStatus() *cobra.Command {
	var name, output string
	command := &cobra.Command{
		Use:   "status",
		Short: "Print what a cluster is and whether it is ready (exit status 1 if not)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			info, err := lifecycle.Status(cmd.Context(), name)
			if err != nil {
				return err
			}
			if err := printInfo(cmd.OutOrStdout(), output, info); err != nil {
				return err
			}
			if !info.Ready {
				return errors.New("the cluster is not ready; bring it up: runecluster up --name " + name)
			}
			return nil
		},
	}
	nameFlag(command, &name)
	outputFlag(command, &output)
	return command
}
