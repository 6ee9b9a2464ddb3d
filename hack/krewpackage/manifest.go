package main

import (
	"bytes"
	"fmt"
	"os"
	"text/template"
)

// manifest is what the template of the krew manifest may use.
type manifest struct {
	Version  string
	Archives []archive
}

// write fills in the template at source and writes the result to path.
func (m manifest) write(source, path string) error {
	t, err := template.ParseFiles(source)
	if err != nil {
		return fmt.Errorf("parsing template %q: %w", source, err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, m); err != nil {
		return fmt.Errorf("filling in template %q: %w", source, err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("writing manifest %q: %w", path, err)
	}
	return nil
}
