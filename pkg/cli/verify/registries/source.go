package registries

import (
	"github.com/spf13/cobra"
)

// Source says how registries are asked.
type Source struct {
	// File with a RegistryConfiguration; empty for none.
	File string
}

// AddFlag adds --registries to a command.
func (s *Source) AddFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.File, "registries", "", "file with a RegistryConfiguration: certificate authorities, plain HTTP and mirrors of registries")
	// The only error is a flag that does not exist.
	_ = cmd.MarkFlagFilename("registries", "yaml", "yml", "json")
}
