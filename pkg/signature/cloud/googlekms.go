package cloud

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"strings"
	"sync"

	kms "cloud.google.com/go/kms/apiv1"
	"cloud.google.com/go/kms/apiv1/kmspb"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature/kms/gcp"
)

// googleKeys asks Google Cloud KMS by one connection, which is opened when the first key is asked for. Sigstore's own
// client would never notice that a version that a URI names was disabled, since it keeps what it read, and takes no
// context.
type googleKeys struct {
	mu     sync.Mutex
	client *kms.KeyManagementClient
}

// publicKey reads the version that the URI names, or the newest one that is enabled.
func (g *googleKeys) publicKey(ctx context.Context, uri string) (crypto.PublicKey, error) {
	if err := gcp.ValidReference(uri); err != nil {
		return nil, err
	}
	client, err := g.connect(ctx)
	if err != nil {
		return nil, err
	}
	name, err := enabledVersion(ctx, client, strings.TrimPrefix(uri, gcp.ReferenceScheme))
	if err != nil {
		return nil, err
	}
	key, err := client.GetPublicKey(ctx, &kmspb.GetPublicKeyRequest{Name: name})
	if err != nil {
		return nil, err
	}
	return cryptoutils.UnmarshalPEMToPublicKey([]byte(key.GetPem()))
}

// connect returns the one client. It renews its tokens with the context that it is made with, long after this call.
func (g *googleKeys) connect(ctx context.Context) (*kms.KeyManagementClient, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.client != nil {
		return g.client, nil
	}
	client, err := kms.NewKeyManagementClient(context.WithoutCancel(ctx))
	if err != nil {
		return nil, err
	}
	g.client = client
	return client, nil
}

// enabledVersion names the version of a key that counts.
func enabledVersion(ctx context.Context, client *kms.KeyManagementClient, key string) (string, error) {
	if key, version, found := cutVersion(key); found {
		answer, err := client.GetCryptoKeyVersion(ctx, &kmspb.GetCryptoKeyVersionRequest{Name: key + "/cryptoKeyVersions/" + version})
		if err != nil {
			return "", err
		}
		if answer.GetState() != kmspb.CryptoKeyVersion_ENABLED {
			return "", fmt.Errorf("version %s of the key is in the state %s: %w", version, answer.GetState(), errDisabled)
		}
		return answer.GetName(), nil
	}
	newest, err := client.ListCryptoKeyVersions(ctx, &kmspb.ListCryptoKeyVersionsRequest{
		Parent: key, Filter: "state=ENABLED", OrderBy: "name desc", PageSize: 1,
	}).Next()
	if err != nil {
		return "", fmt.Errorf("looking for a version of the key that is enabled: %w", err)
	}
	return newest.GetName(), nil
}

// errDisabled says of a key that it is there and may not be used.
var errDisabled = errors.New("it is not enabled")

// cutVersion parts a key from its version, which gcp.ValidReference knows by two names.
func cutVersion(key string) (name, version string, found bool) {
	if name, version, found = strings.Cut(key, "/cryptoKeyVersions/"); !found {
		name, version, found = strings.Cut(key, "/versions/")
	}
	return name, version, found
}
