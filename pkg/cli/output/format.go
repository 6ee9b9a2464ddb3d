package output

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

// Format is the value of -o. The zero value is the form for people.
type Format string

// The formats.
const (
	Human Format = ""
	JSON  Format = "json"
	YAML  Format = "yaml"
)

// AddFlag adds -o to a command.
func (f *Format) AddFlag(cmd *cobra.Command) {
	cmd.Flags().StringVarP((*string)(f), "output", "o", "", "output format: json or yaml")
	// The only error is a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{string(JSON), string(YAML)}, cobra.ShellCompDirectiveNoFileComp))
}

// Validate refuses unknown formats.
func (f Format) Validate() error {
	switch f {
	case Human, JSON, YAML:
		return nil
	}
	return fmt.Errorf("-o %s is unknown: write json or yaml", string(f))
}

// Structured tells whether a machine reads the output.
func (f Format) Structured() bool { return f != Human }

// Print writes a value in a structured format.
func (f Format) Print(w io.Writer, value any) error {
	var raw []byte
	var err error
	switch f {
	case YAML:
		raw, err = yaml.Marshal(value)
	default:
		raw, err = json.MarshalIndent(value, "", "    ")
		raw = append(raw, '\n')
	}
	if err != nil {
		return fmt.Errorf("encoding output: %w", err)
	}
	_, err = w.Write(raw)
	return err
}
