package drive

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The values of --dry-run, as kubectl has them.
const (
	dryRunNone   = "none"
	dryRunClient = "client"
	dryRunServer = "server"
)

// maxReason is the length that the Release's schema allows.
const maxReason = 1024

// Flags are what all commands take that start a release.
type Flags struct {
	Reason string
	DryRun string
}

// AddReasonFlag adds --reason.
func (f *Flags) AddReasonFlag(flags *pflag.FlagSet) {
	flags.StringVar(&f.Reason, "reason", "", "why, for the record")
}

// AddDryRunFlag adds --dry-run.
func (f *Flags) AddDryRunFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.DryRun, "dry-run", dryRunNone,
		"none, client (print what would be requested) or server (let the API server judge it as well); changes nothing but with none")
	cmd.Flags().Lookup("dry-run").NoOptDefVal = dryRunClient
	// The only error is a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("dry-run", cobra.FixedCompletions([]string{dryRunNone, dryRunClient, dryRunServer}, cobra.ShellCompDirectiveNoFileComp))
}

// Validate checks the flags.
func (f *Flags) Validate() error {
	switch f.DryRun {
	case "", dryRunNone, dryRunClient, dryRunServer:
	default:
		return fmt.Errorf("--dry-run=%s is unknown: write none, client or server", f.DryRun)
	}
	if len([]rune(f.Reason)) > maxReason {
		return fmt.Errorf("--reason is longer than %d characters", maxReason)
	}
	return nil
}

// ClientDryRun tells whether nothing may be asked of the API server but what exists.
func (f *Flags) ClientDryRun() bool { return f.DryRun == dryRunClient }

// ServerDryRun tells whether the API server judges and stores nothing.
func (f *Flags) ServerDryRun() bool { return f.DryRun == dryRunServer }
