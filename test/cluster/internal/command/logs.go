package command

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/layout"
)

func newLogs() *cobra.Command {
	var name string
	command := &cobra.Command{
		Use:   "logs [COMPONENT]",
		Short: "Print the log of a component, or which logs there are",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := layout.CheckName(name); err != nil {
				return err
			}
			paths, err := layout.PathsOf(name)
			if err != nil {
				return err
			}
			logs, err := filepath.Glob(paths.Log("*"))
			if err != nil {
				return err
			}
			if len(logs) == 0 {
				return fmt.Errorf("looking for logs of cluster %q: none in %s", name, paths.Logs())
			}
			var components []string
			for _, path := range logs {
				component := strings.TrimSuffix(filepath.Base(path), ".log")
				if len(args) == 1 && component == args[0] {
					return show(cmd.OutOrStdout(), path)
				}
				components = append(components, component)
			}
			if len(args) == 1 {
				return fmt.Errorf("looking for the log of %q: there are %s", args[0], strings.Join(components, ", "))
			}
			for _, component := range components {
				fmt.Fprintln(cmd.OutOrStdout(), component)
			}
			return nil
		},
	}
	nameFlag(command, &name)
	return command
}

func show(out io.Writer, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(out, file)
	return err
}
