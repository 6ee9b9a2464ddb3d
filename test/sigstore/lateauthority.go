package sigstore

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/digitorus/timestamp"
)

// late is by how much the clocks of the late timestamp authority and of the late log are ahead: far more than the ten minutes for
// which Fulcio's certificates are valid.
const late = 24 * time.Hour

// lateAuthority is a timestamp authority (RFC 3161) with a clock of its own. Whoever stole the key of a
// certificate and signs with it after the certificate has expired gets such stamps.
type lateAuthority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// startLateAuthority serves one until the test ends, and leaves its chain as late-tsa.pem.
func (s *Sigstore) startLateAuthority(t testing.TB) string {
	t.Helper()
	authority, chain, err := newLateAuthority(time.Now())
	if err != nil {
		t.Fatalf("making a late timestamp authority: %v", err)
	}
	s.write(t, "late-tsa.pem", chain)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/timestamp", func(w http.ResponseWriter, request *http.Request) {
		stamp, err := authority.stamp(request.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/timestamp-reply")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(stamp) // whoever asked sees that it is cut off
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// stamp answers a request.
func (a *lateAuthority) stamp(body io.Reader) ([]byte, error) {
	query, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("reading a request: %w", err)
	}
	request, err := timestamp.ParseRequest(query)
	if err != nil {
		return nil, fmt.Errorf("reading a request: %w", err)
	}
	stamp := timestamp.Timestamp{
		HashAlgorithm: request.HashAlgorithm, HashedMessage: request.HashedMessage,
		Time: time.Now().Add(late).UTC(), Nonce: request.Nonce, Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2},
		Accuracy: time.Second, AddTSACertificate: request.Certificates,
	}
	return stamp.CreateResponseWithOpts(a.certificate, a.key, crypto.SHA256)
}

// newLateAuthority makes the authority and returns its chain in PEM, leaf first.
func newLateAuthority(now time.Time) (*lateAuthority, []byte, error) {
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}}) // timeStamping
	if err != nil {
		return nil, nil, err
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "late root"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(2 * late), KeyUsage: x509.KeyUsageCertSign, SubjectKeyId: []byte{1},
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "late timestamp authority"},
		NotBefore: root.NotBefore, NotAfter: root.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature, SubjectKeyId: []byte{2},
		// crypto/x509 would not mark it as critical, which RFC 3161, section 2.3, asks for.
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}},
	}
	var chain bytes.Buffer
	var certificates []*x509.Certificate
	for _, certificate := range []struct {
		template *x509.Certificate
		public   crypto.PublicKey
	}{{leaf, key.Public()}, {root, rootKey.Public()}} {
		der, err := x509.CreateCertificate(rand.Reader, certificate.template, root, certificate.public, rootKey)
		if err != nil {
			return nil, nil, err
		}
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, nil, err
		}
		certificates = append(certificates, parsed)
		chain.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	return &lateAuthority{certificate: certificates[0], key: key}, chain.Bytes(), nil
}
