package verification

import (
	"crypto/x509"
	"encoding/asn1"
	"slices"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// withoutSubjectName returns the certificate with its subject alternative name marked as handled: Go knows no names of
// the kind OtherName, which Fulcio issues for usernames, and refuses a critical extension that it does not know. The
// name is read elsewhere.
func withoutSubjectName(certificate *x509.Certificate) *x509.Certificate {
	if len(certificate.UnhandledCriticalExtensions) == 0 {
		return certificate
	}
	handled := *certificate
	handled.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(certificate.UnhandledCriticalExtensions), func(id asn1.ObjectIdentifier) bool {
		return id.Equal(cryptoutils.SANOID)
	})
	return &handled
}
