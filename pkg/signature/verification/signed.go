package verification

import (
	"crypto/x509"
	"time"

	"github.com/sigstore/cosign/v2/pkg/oci"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// signed is one signature over one message, in whichever format it was found. Nothing of it is verified yet.
type signed struct {
	format v1alpha1.SignatureFormat
	// message that was signed, and the signature over it.
	message, signature []byte
	// certificate of the signer; nil where a key signed.
	certificate *x509.Certificate
	// entries of transparency logs. They are read only where one is asked for.
	entries func() ([]*tlog.Entry, error)
	// stamps are RFC 3161 time stamps over stamped.
	stamps  [][]byte
	stamped []byte
	// claim is what the message says, once its signature was verified.
	claim func() (claim, error)
	// digest of the image that is asked about.
	digest string
	// cosigned is the signature in cosign's own form, with or without its certificate; nil for bundles.
	cosigned func(certified bool) (oci.Signature, error)
	// entity is the bundle; nil for tags.
	entity verify.SignedEntity
	// hint is the predicate type that its annotation or its unverified content says; for messages only.
	hint string
}

// entity shows a signature to sigstore-go's checks of transparency logs and time stamps.
type entity struct {
	verify.BaseSignedEntity
	signed  *signed
	covered []byte
	// signer is the key or certificate that a log entry must be about.
	signer verify.VerificationContent
}

// TlogEntries of the signature.
func (e *entity) TlogEntries() ([]*tlog.Entry, error) {
	if e.signed.entries == nil {
		return nil, nil
	}
	return e.signed.entries()
}

// Timestamps of the signature.
func (e *entity) Timestamps() ([][]byte, error) { return e.signed.stamps, nil }

// SignatureContent that the log entry or the time stamp must be about.
func (e *entity) SignatureContent() (verify.SignatureContent, error) { return covered(e.covered), nil }

// VerificationContent is who signed.
func (e *entity) VerificationContent() (verify.VerificationContent, error) { return e.signer, nil }

// covered is what a log entry or a time stamp covers.
type covered []byte

// Signature is what is covered.
func (c covered) Signature() []byte { return c }

// EnvelopeContent is not looked at.
func (c covered) EnvelopeContent() verify.EnvelopeContent { return nil }

// MessageSignatureContent is not looked at.
func (c covered) MessageSignatureContent() verify.MessageSignatureContent { return nil }

// keySigner is a signer without a certificate.
type keySigner struct{ key *publicKey }

// CompareKey tells whether a log entry is about this key.
func (s keySigner) CompareKey(other any, _ root.TrustedMaterial) bool { return s.key.equals(other) }

// ValidAtTime is always true: the end of a key's time is judged at each request.
func (s keySigner) ValidAtTime(time.Time, root.TrustedMaterial) bool { return true }

// Certificate is none.
func (s keySigner) Certificate() *x509.Certificate { return nil }

// PublicKey is not looked at.
func (s keySigner) PublicKey() verify.PublicKeyProvider { return nil }
