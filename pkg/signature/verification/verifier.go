package verification

import (
	"context"
	"crypto"
	"time"

	"k8s.io/utils/clock"
	"k8s.io/utils/lru"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

// maxPrepared is how many policies' keys and trust roots are kept.
const maxPrepared = 512

// Registry is what is asked for signatures; *registry.Client implements it.
type Registry interface {
	Exists(ctx context.Context, access registry.Access, ref image.Reference) error
	Manifest(ctx context.Context, access registry.Access, ref image.Reference) (registry.Manifest, error)
	Blob(ctx context.Context, access registry.Access, ref image.Reference, digest string, size int64) ([]byte, error)
	Referrers(ctx context.Context, access registry.Access, ref image.Reference, keep func(registry.Descriptor) bool, limit int) (registry.Referrers, error)
}

// KeySecrets reads a public key from a Secret of the webhook's own namespace. For a key that is not there
// errors.Is(err, fs.ErrNotExist) or apierrors.IsNotFound holds: what was read before counts no longer.
type KeySecrets interface {
	KeySecret(ctx context.Context, name, key string) ([]byte, error)
}

// KMS reads a public key from a key management service. Where the service answers that there is no such key or that it
// is disabled, errors.Is(err, fs.ErrNotExist) holds, and where it answers that this program may not read it
// errors.Is(err, fs.ErrPermission): what was read before counts no longer.
type KMS interface {
	PublicKey(ctx context.Context, uri string) (crypto.PublicKey, error)
}

// PublicSigstore says where the trust root of the public Sigstore comes from. The zero value is Sigstore's own
// repository, and the root of trust that this program was built with.
type PublicSigstore struct {
	// Mirror is the URL of the TUF repository.
	Mirror string
	// Root is its root.json, in JSON.
	Root []byte
}

// Config of a Verifier.
type Config struct {
	// Registry that is asked. Required.
	Registry Registry
	// Secrets with keys; nil if this program reads none.
	Secrets KeySecrets
	// KMS with keys; nil if this build supports none.
	KMS KMS
	// PublicSigstore that keyless authorities without a trust root trust.
	PublicSigstore PublicSigstore
	// Clock by which keys and trust roots are read again and attestations are judged; the real one if nil.
	Clock clock.PassiveClock
}

// Verifier collects evidence. It is safe for concurrent use.
type Verifier struct {
	config   Config
	sources  *sources
	prepared *lru.Cache
	reading  *reading
}

// New returns a Verifier. It reads nothing yet.
func New(config Config) *Verifier {
	if config.Clock == nil {
		config.Clock = clock.RealClock{}
	}
	return &Verifier{
		config:   config,
		sources:  newSources(config.Clock),
		prepared: lru.New(maxPrepared),
		reading:  newReading(),
	}
}

func (v *Verifier) now() time.Time { return v.config.Clock.Now() }
