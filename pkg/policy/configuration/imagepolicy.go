package configuration

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// ImagePolicy returns what the schema of an ImagePolicy cannot say.
func ImagePolicy(images *v1alpha1.ImagePolicy) []Problem {
	var found problems
	for i, glob := range images.Spec.Images {
		if _, err := image.ParseGlob(glob); err != nil {
			found.add(fmt.Sprintf("spec.images[%d]", i), "%s", err)
		}
	}
	for i, authority := range images.Spec.Authorities {
		if authority.Key == nil || authority.Key.Data == "" {
			continue
		}
		if err := readKey(authority.Key.Data); err != nil {
			found.add(fmt.Sprintf("spec.authorities[%d].key.data", i), "%s", err)
		}
	}
	return found
}

// readKey tells whether a text is one public key in PEM form, which says nothing about whether it will do.
func readKey(text string) error {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return errors.New("is no PEM block: paste the content of cosign.pub")
	}
	if _, err := x509.ParsePKIXPublicKey(block.Bytes); err != nil {
		return fmt.Errorf("is no public key: %w", err)
	}
	return nil
}
