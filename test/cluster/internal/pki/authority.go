package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

const lifetime = 365 * 24 * time.Hour

// Authority signs the certificates of one cluster.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	// PEM is the authority's certificate.
	PEM []byte
	// KeyPEM is its private key: the controller manager signs with it, too.
	KeyPEM []byte
}

// Pair is a certificate and its private key, both PEM.
type Pair struct{ Certificate, Key []byte }

// NewAuthority makes an authority.
func NewAuthority(commonName string, now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:  pkix.Name{CommonName: commonName},
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		IsCA:     true, BasicConstraintsValid: true,
	}
	der, err := sign(template, template, key, key, now)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	return &Authority{certificate: certificate, key: key, PEM: encodeCertificate(der), KeyPEM: keyPEM}, nil
}

// LoadAuthority reads an authority that was written to two files.
func LoadAuthority(certificateFile, keyFile string) (*Authority, error) {
	authority := &Authority{}
	var err error
	if authority.PEM, err = os.ReadFile(certificateFile); err != nil {
		return nil, err
	}
	if authority.KeyPEM, err = os.ReadFile(keyFile); err != nil {
		return nil, err
	}
	certificateBlock, _ := pem.Decode(authority.PEM)
	keyBlock, _ := pem.Decode(authority.KeyPEM)
	if certificateBlock == nil || keyBlock == nil {
		return nil, fmt.Errorf("reading %s and %s: no PEM block", certificateFile, keyFile)
	}
	if authority.certificate, err = x509.ParseCertificate(certificateBlock.Bytes); err != nil {
		return nil, fmt.Errorf("parsing %s: %w", certificateFile, err)
	}
	if authority.key, err = x509.ParseECPrivateKey(keyBlock.Bytes); err != nil {
		return nil, fmt.Errorf("parsing %s: %w", keyFile, err)
	}
	return authority, nil
}

// Server makes a server certificate for names and addresses.
func (a *Authority) Server(now time.Time, commonName string, names []string, addresses []net.IP) (Pair, error) {
	return a.pair(now, &x509.Certificate{
		Subject:  pkix.Name{CommonName: commonName},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: names, IPAddresses: addresses,
	})
}

// Client makes a client certificate: Kubernetes takes the user from the common
// name and the groups from the organisations.
func (a *Authority) Client(now time.Time, user string, groups ...string) (Pair, error) {
	return a.pair(now, &x509.Certificate{
		Subject:  pkix.Name{CommonName: user, Organization: groups},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

// NewKey makes a private key, PEM: with it service account tokens are signed.
func NewKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return encodeKey(key)
}

// NewRequest makes a key and a certificate request for a client, both PEM.
func NewRequest(user string, groups ...string) (request, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: user, Organization: groups}}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return nil, nil, err
	}
	keyPEM, err = encodeKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), keyPEM, err
}

func (a *Authority) pair(now time.Time, template *x509.Certificate) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	der, err := sign(template, a.certificate, key, a.key, now)
	if err != nil {
		return Pair{}, fmt.Errorf("signing the certificate of %s: %w", template.Subject, err)
	}
	keyPEM, err := encodeKey(key)
	return Pair{Certificate: encodeCertificate(der), Key: keyPEM}, err
}

func sign(template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey, now time.Time) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.NotBefore = now.Add(-5 * time.Minute) // clocks of containers may lag
	template.NotAfter = now.Add(lifetime)
	return x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}
