package signature

import (
	"fmt"
	"os"
	"strings"
)

// ClearEnvironment removes the variables by which cosign's libraries can be told to trust other roots
// or to look elsewhere. Programs call it before they start.
func ClearEnvironment() error {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		for _, prefix := range []string{"COSIGN_", "SIGSTORE_", "TUF_"} {
			if !strings.HasPrefix(name, prefix) {
				continue
			}
			if err := os.Unsetenv(name); err != nil {
				return fmt.Errorf("clearing the environment variable %q: %w", name, err)
			}
		}
	}
	return nil
}
