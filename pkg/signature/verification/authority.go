package verification

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// defaultSecretKey is where `cosign generate-key-pair k8s://…` writes the public key.
const defaultSecretKey = "cosign.pub"

// authority is one of a policy, with its key or its trust root at hand.
type authority struct {
	name string
	// key is nil for a keyless authority.
	key        *publicKey
	identities []identity
	// witnesses is nil for a key to which nothing has to bear witness.
	witnesses *witnesses
}

// witnesses is what must bear witness to a signature, and by whose word.
type witnesses struct {
	material root.TrustedMaterial
	// log asks for a proof of a transparency log, stamp for an RFC 3161 time stamp.
	log, stamp bool
	// promised asks that a certificate transparency log promised the certificate: where the trust root names any.
	promised bool
}

// readAuthority reads an authority's key and trust root. digests are those of what was read.
func (v *Verifier) readAuthority(ctx context.Context, from v1alpha1.Authority) (a *authority, digests []string, err error) {
	a = &authority{name: from.Name}
	log, stamp := from.TransparencyLog == v1alpha1.PresenceRequired, from.Timestamps == v1alpha1.PresenceRequired
	switch {
	case (from.Key == nil) == (from.Keyless == nil):
		return nil, nil, errors.New("it must have exactly one of key and keyless")
	case from.Key != nil:
		if a.key, err = v.readKey(ctx, from.Key); err != nil {
			return nil, nil, fmt.Errorf("key: %w", err)
		}
		digests = append(digests, a.key.signer)
		if !log && !stamp {
			return a, digests, nil
		}
		if from.TrustRoot == nil {
			return nil, nil, errors.New("a key with transparencyLog or timestamps Required needs a trustRoot")
		}
	default:
		if a.identities, err = newIdentities(from.Keyless.Identities); err != nil {
			return nil, nil, err
		}
		log = log || from.TransparencyLog == ""
		if !log && !stamp {
			return nil, nil, errors.New("a keyless signature needs a trusted time: transparencyLog or timestamps must be Required")
		}
	}
	material, digest, err := v.readTrustRoot(ctx, from.TrustRoot)
	if err != nil {
		return nil, nil, fmt.Errorf("trustRoot: %w", err)
	}
	a.witnesses = &witnesses{material: material, log: log, stamp: stamp, promised: a.key == nil && len(material.CTLogs()) > 0}
	return a, append(digests, digest), nil
}

func (v *Verifier) readKey(ctx context.Context, from *v1alpha1.KeyAuthority) (*publicKey, error) {
	switch {
	case from.Data != "":
		return readPublicKey([]byte(from.Data))
	case from.SecretRef != nil:
		if v.config.Secrets == nil {
			return nil, fmt.Errorf("this program reads no Secrets: Secret %q cannot be used, put the key into key.data", from.SecretRef.Name)
		}
		key := from.SecretRef.Key
		if key == "" {
			key = defaultSecretKey
		}
		content, err := v.sources.read(ctx, source{
			name: fmt.Sprintf("key %q of Secret %q", key, from.SecretRef.Name),
			read: func(ctx context.Context) ([]byte, error) {
				return v.config.Secrets.KeySecret(ctx, from.SecretRef.Name, key)
			},
			check:   checkKey,
			timeout: keyTimeout, soft: keySoft, hard: keyHard, grace: keyGrace,
		})
		if err != nil {
			return nil, err
		}
		return readPublicKey(content)
	case from.KMS != "":
		return v.readKMS(ctx, from.KMS)
	}
	return nil, errors.New("it must have one of data, secretRef and kms")
}

func (v *Verifier) readKMS(ctx context.Context, uri string) (*publicKey, error) {
	if v.config.KMS == nil {
		return nil, fmt.Errorf("this build has no support for %s: use the build with the tag cloud, or put the public key (cosign public-key --key %s) into key.data", quote(uri), uri)
	}
	content, err := v.sources.read(ctx, source{
		name: "key " + quote(uri),
		read: func(ctx context.Context) ([]byte, error) {
			key, err := v.config.KMS.PublicKey(ctx, uri)
			if err != nil {
				return nil, err
			}
			der, err := x509.MarshalPKIXPublicKey(key)
			if err != nil {
				return nil, &unusableError{err}
			}
			return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
		},
		check:   checkKey,
		timeout: keyTimeout, soft: keySoft, hard: keyHard, grace: keyGrace,
	})
	if err != nil {
		return nil, err
	}
	return readPublicKey(content)
}

func checkKey(content []byte) error {
	_, err := readPublicKey(content)
	return err
}
