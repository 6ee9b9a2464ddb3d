package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"

	certutil "k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// backdate is subtracted from the start of every certificate's life, for API servers whose clocks are behind.
const backdate = time.Hour

// newAuthority makes a certificate authority that can sign serving certificates and nothing below.
func newAuthority(now time.Time, validity time.Duration) (*Pair, error) {
	template := &x509.Certificate{
		// The date tells authorities apart in `openssl x509 -subject`.
		Subject:               pkix.Name{CommonName: "rune-webhook-ca " + now.UTC().Format(time.DateOnly)},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(validity),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	return sign(template, nil)
}

// newServing makes a serving certificate for the names, signed by ca and never outliving it.
func newServing(ca *Pair, names Names, now time.Time, validity time.Duration) (*Pair, error) {
	end := now.Add(validity)
	if end.After(ca.Cert.NotAfter) {
		end = ca.Cert.NotAfter
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "rune-webhook"},
		DNSNames:              names.DNS,
		IPAddresses:           names.IPs,
		NotBefore:             now.Add(-backdate),
		NotAfter:              end,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	return sign(template, ca)
}

// sign makes a key and a certificate for it, signed by issuer or, where that is nil, by itself.
func sign(template *x509.Certificate, issuer *Pair) (*Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating a key for %q: %w", template.Subject.CommonName, err)
	}
	// RFC 5280 4.1.2.2: positive, at most 20 octets, unique per issuer; 120 random bits are that.
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("choosing a serial number for %q: %w", template.Subject.CommonName, err)
	}
	parent := &Pair{Cert: template, Key: key}
	if issuer != nil {
		parent = issuer
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.Cert, key.Public(), parent.Key)
	if err != nil {
		return nil, fmt.Errorf("signing the certificate of %q: %w", template.Subject.CommonName, err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate of %q back: %w", template.Subject.CommonName, err)
	}
	keyPEM, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return nil, fmt.Errorf("encoding the key of %q: %w", template.Subject.CommonName, err)
	}
	return &Pair{Cert: certificate, Key: key, certPEM: encodeCertificates([]*x509.Certificate{certificate}), keyPEM: keyPEM}, nil
}

func encodeCertificates(certificates []*x509.Certificate) []byte {
	var out []byte
	for _, certificate := range certificates {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: certutil.CertificateBlockType, Bytes: certificate.Raw})...)
	}
	return out
}
