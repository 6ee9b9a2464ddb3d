package cloud

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/sigstore/sigstore/pkg/signature/kms/aws"
	"github.com/sigstore/sigstore/pkg/signature/kms/azure"
	"github.com/sigstore/sigstore/pkg/signature/kms/gcp"
	"github.com/sigstore/sigstore/pkg/signature/kms/hashivault"
	"github.com/sigstore/sigstore/pkg/signature/options"
)

// KMS reads public keys by the URIs that cosign writes. Credentials come from where each service's own client looks for
// them: workload identities, instance metadata, environment variables. It is safe for concurrent use.
//
// AWS asks for the permissions kms:GetPublicKey and kms:DescribeKey, Azure for Get on keys, Google for
// cloudkms.cryptoKeyVersions.viewPublicKey, .get and .list, Vault for read on
// transit/keys/NAME, by VAULT_ADDR and VAULT_TOKEN.
type KMS struct {
	// google keeps a connection; the others' clients are made anew each time.
	google googleKeys
}

// NewKMS returns a KMS. It asks for nothing yet.
func NewKMS() *KMS { return &KMS{} }

// PublicKey reads a key. Callers keep it: every call asks the service. errors.Is(err, fs.ErrNotExist) where the service
// answers that there is no such key or that it is disabled, and fs.ErrPermission where this process may not read it.
func (k *KMS) PublicKey(ctx context.Context, uri string) (crypto.PublicKey, error) {
	var key crypto.PublicKey
	var err error
	var service string
	switch {
	case strings.HasPrefix(uri, aws.ReferenceScheme):
		service = "AWS KMS"
		key, err = fromAWS(ctx, uri)
	case strings.HasPrefix(uri, azure.ReferenceScheme):
		service = "Azure Key Vault"
		key, err = fromAzure(ctx, uri)
	case strings.HasPrefix(uri, gcp.ReferenceScheme):
		service = "Google Cloud KMS"
		key, err = k.google.publicKey(ctx, uri)
	case strings.HasPrefix(uri, hashivault.ReferenceScheme):
		service = "Vault"
		key, err = fromVault(ctx, uri)
	default:
		return nil, fmt.Errorf("%q is no key of a service that is known: write %s…, %s…, %s… or %s…",
			uri, aws.ReferenceScheme, azure.ReferenceScheme, gcp.ReferenceScheme, hashivault.ReferenceScheme)
	}
	if err != nil {
		return nil, fmt.Errorf("asking %s for %q: %w", service, uri, brief(err))
	}
	return key, nil
}

func fromAWS(ctx context.Context, uri string) (crypto.PublicKey, error) {
	key, err := aws.LoadSignerVerifier(ctx, uri)
	if err != nil {
		return nil, err
	}
	return key.PublicKey(options.WithContext(ctx))
}

// fromVault does not wait for longer than the context: the client takes none. It gives up by itself after a minute.
func fromVault(ctx context.Context, uri string) (crypto.PublicKey, error) {
	if os.Getenv("VAULT_ADDR") == "" {
		return nil, errors.New("the environment variable VAULT_ADDR is not set")
	}
	type answer struct {
		key crypto.PublicKey
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		key, err := hashivault.LoadSignerVerifier(uri, crypto.SHA256)
		if err != nil {
			answers <- answer{err: err}
			return
		}
		public, err := key.PublicKey()
		answers <- answer{key: public, err: err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case got := <-answers:
		return got.key, got.err
	}
}
