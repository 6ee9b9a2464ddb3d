package certs

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	certutil "k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// Keys of the Secret. ca.crt, tls.crt and tls.key have their conventional meaning, except that ca.crt
// holds only the authority that signed tls.crt; what clients should trust is [Material.Bundle].
const (
	keyCACert      = "ca.crt"
	keyCAKey       = "ca.key"
	keyNextCACert  = "next-ca.crt"
	keyNextCAKey   = "next-ca.key"
	keyRetiredCAs  = "retired-ca.crt"
	keyServingCert = "tls.crt"
	keyServingKey  = "tls.key"
)

// Pair is a certificate with its private key.
type Pair struct {
	Cert *x509.Certificate
	Key  crypto.Signer

	certPEM, keyPEM []byte
}

// Material is all that the Secret holds.
type Material struct {
	// CA signed Serving and signs what follows.
	CA Pair
	// Next is trusted already but signs nothing yet; nil outside a rotation.
	Next *Pair
	// Retired authorities sign nothing any more and are trusted until they expire.
	Retired []*x509.Certificate
	// Serving is what the webhook shows to API servers.
	Serving Pair
}

// Bundle returns, in PEM, the authorities that API servers must trust: the one in use first.
func (m *Material) Bundle() []byte {
	certificates := []*x509.Certificate{m.CA.Cert}
	if m.Next != nil {
		certificates = append(certificates, m.Next.Cert)
	}
	return encodeCertificates(append(certificates, m.Retired...))
}

// TLS returns the serving certificate in the form that crypto/tls takes.
func (m *Material) TLS() *tls.Certificate {
	return &tls.Certificate{
		Certificate: [][]byte{m.Serving.Cert.Raw},
		PrivateKey:  m.Serving.Key,
		Leaf:        m.Serving.Cert,
	}
}

// data returns the content of the Secret.
func (m *Material) data() map[string][]byte {
	data := map[string][]byte{
		keyCACert:      m.CA.certPEM,
		keyCAKey:       m.CA.keyPEM,
		keyServingCert: m.Serving.certPEM,
		keyServingKey:  m.Serving.keyPEM,
	}
	if m.Next != nil {
		data[keyNextCACert] = m.Next.certPEM
		data[keyNextCAKey] = m.Next.keyPEM
	}
	if len(m.Retired) > 0 {
		data[keyRetiredCAs] = encodeCertificates(m.Retired)
	}
	return data
}

// equal compares what would be stored.
func (m *Material) equal(other *Material) bool {
	if m == nil || other == nil {
		return m == other
	}
	a, b := m.data(), other.data()
	if len(a) != len(b) {
		return false
	}
	for key := range a {
		if !bytes.Equal(a[key], b[key]) {
			return false
		}
	}
	return true
}

// Parse reads the content of the Secret. It refuses keys that do not belong to their certificates and a
// serving certificate that its authority did not sign, because none of that would serve; validity in
// time is judged by [Policy.Due].
func Parse(data map[string][]byte) (*Material, error) {
	ca, err := parsePair(data, keyCACert, keyCAKey)
	if err != nil {
		return nil, err
	}
	if !ca.Cert.IsCA {
		return nil, fmt.Errorf("reading %s: not a certificate authority", keyCACert)
	}
	serving, err := parsePair(data, keyServingCert, keyServingKey)
	if err != nil {
		return nil, err
	}
	m := &Material{CA: *ca, Serving: *serving}
	if len(data[keyNextCACert]) > 0 || len(data[keyNextCAKey]) > 0 {
		if m.Next, err = parsePair(data, keyNextCACert, keyNextCAKey); err != nil {
			return nil, err
		}
		if !m.Next.Cert.IsCA {
			return nil, fmt.Errorf("reading %s: not a certificate authority", keyNextCACert)
		}
	}
	if len(data[keyRetiredCAs]) > 0 {
		if m.Retired, err = certutil.ParseCertsPEM(data[keyRetiredCAs]); err != nil {
			return nil, fmt.Errorf("reading %s: %w", keyRetiredCAs, err)
		}
	}
	if err := serving.Cert.CheckSignatureFrom(ca.Cert); err != nil {
		return nil, fmt.Errorf("reading %s: not signed by %s: %w", keyServingCert, keyCACert, err)
	}
	return m, nil
}

func parsePair(data map[string][]byte, certKey, privateKey string) (*Pair, error) {
	certificates, err := certutil.ParseCertsPEM(data[certKey])
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", certKey, err)
	}
	parsed, err := keyutil.ParsePrivateKeyPEM(data[privateKey])
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", privateKey, err)
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("reading %s: a key of type %T cannot sign", privateKey, parsed)
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(certificates[0].PublicKey) {
		return nil, fmt.Errorf("reading %s: %w", privateKey, errors.New("the key does not belong to "+certKey))
	}
	return &Pair{
		Cert:    certificates[0],
		Key:     signer,
		certPEM: slices.Clone(data[certKey]),
		keyPEM:  slices.Clone(data[privateKey]),
	}, nil
}
