package sigstore

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	ct "github.com/google/certificate-transparency-go"
	"github.com/google/certificate-transparency-go/tls"
)

// certificateLog makes the promises of a certificate transparency log (RFC 6962, section 4.2). It keeps no
// tree: Fulcio asks for a promise only, and nobody who verifies one looks further.
type certificateLog struct {
	key *ecdsa.PrivateKey
	id  []byte
}

// startCertificateLog serves it until the test ends, and leaves its key as NAME.pub.
func (s *Sigstore) startCertificateLog(t testing.TB, name string) string {
	t.Helper()
	key, public := s.newLogKey(t, name)
	sum := sha256.Sum256(public)
	l := &certificateLog{key: key, id: sum[:]}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /ct/v1/add-pre-chain", func(w http.ResponseWriter, request *http.Request) {
		var asked ct.AddChainRequest
		if err := json.NewDecoder(request.Body).Decode(&asked); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		promise, err := l.promise(asked.Chain, time.Now())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer(w, promise)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// promise returns a signed certificate timestamp for the first certificate of the chain.
func (l *certificateLog) promise(chain [][]byte, now time.Time) (*ct.AddChainResponse, error) {
	var raw []ct.ASN1Cert
	for _, certificate := range chain {
		raw = append(raw, ct.ASN1Cert{Data: certificate})
	}
	timestamp := uint64(now.UnixMilli())
	leaf, err := ct.MerkleTreeLeafFromRawChain(raw, ct.PrecertLogEntryType, timestamp)
	if err != nil {
		return nil, fmt.Errorf("reading a chain: %w", err)
	}
	input, err := ct.SerializeSCTSignatureInput(ct.SignedCertificateTimestamp{SCTVersion: ct.V1, Timestamp: timestamp}, ct.LogEntry{Leaf: *leaf})
	if err != nil {
		return nil, fmt.Errorf("writing what is promised: %w", err)
	}
	signature, err := tls.CreateSignature(*l.key, tls.SHA256, input)
	if err != nil {
		return nil, fmt.Errorf("signing a promise: %w", err)
	}
	encoded, err := tls.Marshal(signature)
	if err != nil {
		return nil, fmt.Errorf("writing a promise: %w", err)
	}
	return &ct.AddChainResponse{SCTVersion: ct.V1, ID: l.id, Timestamp: timestamp, Signature: encoded}, nil
}
