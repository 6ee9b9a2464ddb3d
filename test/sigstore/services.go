package sigstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"
)

// The names of the logs in their checkpoints. A bundle is verified against the log of the trusted root
// whose URL has this host; nothing ever looks the names up.
const (
	rekorOrigin     = "rekor.sigstore.test"
	dsseRekorOrigin = "rekor-dsse.sigstore.test"
	// Those of version 1 are known by their keys.
	rekor1Origin     = "rekor1.sigstore.test"
	lateRekor1Origin = "late-rekor1.sigstore.test"
)

// The names of the certificate transparency logs: that of Fulcio, and one that it does not use.
const (
	certificateLogName      = "ct.sigstore.test"
	otherCertificateLogName = "other-ct.sigstore.test"
)

// startFulcio starts a certificate authority that trusts the issuers, keeps its root in memory and enters
// what it issues in a log.
func (s *Sigstore) startFulcio(t testing.TB, certificateLog string) string {
	t.Helper()
	issuers := map[string]map[string]string{}
	for path, kind := range map[string]string{
		workflowsPath: "github-workflow", otherWorkflowsPath: "github-workflow", peoplePath: "email",
	} {
		url := s.issuer.url + path
		issuers[url] = map[string]string{"IssuerURL": url, "ClientID": "sigstore", "Type": kind}
	}
	path := s.path("fulcio.json")
	writeJSON(t, path, map[string]any{"OIDCIssuers": issuers})
	return server{
		name: "fulcio", program: tool(t, "fulcio"), ready: "/healthz",
		args: func(port func() string) []string {
			return []string{
				"serve", "--ca=ephemeralca", "--ct-log-url=" + certificateLog, "--config-path=" + path,
				"--host=127.0.0.1", "--port=" + port(), "--grpc-host=127.0.0.1", "--grpc-port=" + port(), "--metrics-port=" + port(),
				// Relative to its working directory: the path of a socket may have about 100 characters.
				"--legacy-unix-domain-socket=fulcio.sock",
			}
		},
	}.start(t)
}

// startTimestampAuthority starts one that keeps its chain in memory.
func startTimestampAuthority(t testing.TB) string {
	t.Helper()
	return server{
		name: "timestamp-server", program: tool(t, "timestamp-server"), ready: "/ping",
		args: func(port func() string) []string {
			return []string{"--host=127.0.0.1", "--port=" + port()}
		},
	}.start(t)
}

// startRekor starts a transparency log on files, with a key of its own.
func (s *Sigstore) startRekor(t testing.TB, program, origin string) string {
	t.Helper()
	s.newLogKey(t, origin)
	storage, signer := t.TempDir(), s.path(origin+".key")
	return server{
		name: program, program: tool(t, program), ready: "/healthz",
		args: func(port func() string) []string {
			return []string{
				"serve", "--http-address=127.0.0.1", "--http-port=" + port(), "--grpc-address=127.0.0.1", "--grpc-port=" + port(),
				"--http-metrics-port=" + port(), "--hostname=" + origin, "--storage-dir=" + storage, "--signer-filepath=" + signer,
				// A signature waits for its entry to be in a published tree: keep that short.
				"--batch-max-age=10ms", "--checkpoint-interval=100ms",
			}
		},
	}.start(t)
}

// startRekor1 starts a transparency log of version 1 in memory, with a key of its own and a clock that is ahead.
func (s *Sigstore) startRekor1(t testing.TB, origin string, ahead time.Duration) string {
	t.Helper()
	s.newLogKey(t, origin)
	return server{
		name: origin, program: tool(t, "rekor1"), ready: "/api/v1/log",
		args: func(port func() string) []string {
			return []string{
				"--host=127.0.0.1", "--port=" + port(), "--hostname=" + origin, "--signer=" + s.path(origin+".key"), "--ahead=" + ahead.String(),
			}
		},
	}.start(t)
}

// newLogKey makes a key pair, keeps it as NAME.key and NAME.pub, and returns it and its public part in DER.
func (s *Sigstore) newLogKey(t testing.TB, name string) (key *ecdsa.PrivateKey, public []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("making the key of log %q: %v", name, err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatalf("writing the key of log %q: %v", name, err)
	}
	public, err = x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatalf("writing the key of log %q: %v", name, err)
	}
	s.write(t, name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	s.write(t, name+".pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
	return key, public
}
