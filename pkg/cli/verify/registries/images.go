package registries

import (
	"fmt"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
	"github.com/runeframeos/kubectl-rune/pkg/signature"
	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

// questionTimeout bounds one question to a registry. It is longer than that of admission: no API server waits.
const questionTimeout = 20 * time.Second

// Images returns what asks registries. Without a connection no Secret is read. It takes variables out of the process'
// environment that would tell Sigstore's libraries whom to trust.
func (s *Source) Images(connection *connect.Connection) (admission.Images, error) {
	config := signature.Config{Timeout: questionTimeout}
	if s.File != "" {
		read, err := registry.ReadConfiguration(s.File)
		if err != nil {
			return nil, fmt.Errorf("reading --registries: %w", err)
		}
		config.Registries = read.Registries
	}
	var err error
	if config.PublicSigstore, err = s.publicSigstore(); err != nil {
		return nil, err
	}
	if connection != nil {
		own := secrets{kube: connection.Kube}
		config.PullSecrets, config.KeySecrets = own, own
	}
	if err := signature.ClearEnvironment(); err != nil {
		return nil, err
	}
	return signature.New(config)
}
