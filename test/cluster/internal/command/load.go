package command

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/images"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/lifecycle"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/machine"
)

func newLoad() *cobra.Command {
	var name, binary string
	var options images.Options
	command := &cobra.Command{
		Use:   "load IMAGE[:TAG] --binary PATH",
		Short: "Make an image from a static binary, push it to the cluster's registry, print its digest reference",
		Example: `  CGO_ENABLED=0 go build -o bin/web ./web
  runecluster load web:v1 --binary bin/web`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			info, err := lifecycle.Require(name)
			if err != nil {
				return err
			}
			tag, err := images.Reference(info.Registry, args[0])
			if err != nil {
				return err
			}
			if options.Entrypoint == "" {
				options.Entrypoint = "/" + filepath.Base(binary)
			}
			image, err := images.Build(binary, options)
			if err != nil {
				return err
			}
			transport, err := images.Transport(info.RegistryProxy)
			if err != nil {
				return err
			}
			digest, err := images.Push(cmd.Context(), tag, image, transport)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), digest)
			return nil
		},
	}
	nameFlag(command, &name)
	flags := command.Flags()
	flags.StringVar(&binary, "binary", "", "the static Linux binary")
	flags.StringVar(&options.Entrypoint, "entrypoint", "", "where the binary lies in the image (default: / and the name of the binary)")
	flags.StringVar(&options.Platform, "platform", machine.Platform(), "platform of the image")
	flags.StringVar(&options.User, "user", "65532", "user, or user:group, that the process runs as")
	flags.StringArrayVar(&options.Env, "env", nil, "environment variable, KEY=VALUE (repeatable)")
	command.MarkFlagRequired("binary") //nolint:errcheck // the flag is defined above
	return command
}
