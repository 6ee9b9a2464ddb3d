package registries

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/runeframeos/kubectl-rune/pkg/signature/verification"
)

// Source says how registries are asked.
type Source struct {
	// File with a RegistryConfiguration; empty for none.
	File string
	// TUFMirror and TUFRoot stand for the public Sigstore's TUF repository: its URL, and the file with its root.json.
	// Both are empty for the public one.
	TUFMirror, TUFRoot string
}

// AddFlag adds --registries to a command.
func (s *Source) AddFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.File, "registries", "", "file with a RegistryConfiguration: certificate authorities, plain HTTP and mirrors of registries")
	cmd.Flags().StringVar(&s.TUFMirror, "tuf-mirror", "", "URL of a TUF repository instead of the public Sigstore's; needs --tuf-root")
	cmd.Flags().StringVar(&s.TUFRoot, "tuf-root", "", "file with the root.json of --tuf-mirror")
	// The only error is a flag that does not exist.
	_ = cmd.MarkFlagFilename("registries", "yaml", "yml", "json")
	_ = cmd.MarkFlagFilename("tuf-root", "json")
}

// Given tells whether a flag was, which makes no sense where no registry is asked.
func (s *Source) Given() bool { return s.File+s.TUFMirror+s.TUFRoot != "" }

// publicSigstore reads the files that the flags name.
func (s *Source) publicSigstore() (verification.PublicSigstore, error) {
	none := verification.PublicSigstore{}
	if (s.TUFMirror == "") != (s.TUFRoot == "") {
		return none, errors.New("--tuf-mirror and --tuf-root need each other: a repository is trusted by its root")
	}
	if s.TUFRoot == "" {
		return none, nil
	}
	root, err := os.ReadFile(s.TUFRoot)
	if err != nil {
		return none, fmt.Errorf("reading --tuf-root: %w", err)
	}
	return verification.PublicSigstore{Mirror: s.TUFMirror, Root: root}, nil
}
