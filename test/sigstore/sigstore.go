package sigstore

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/runeframeos/kubectl-rune/test/testcluster"
)

// Sigstore is a running Sigstore and what signs with it.
type Sigstore struct {
	issuer *issuer
	// fulcio, tsa and the others are URLs. rekor takes hashedrekord entries only, dsseRekor also dsse; both are of
	// version 2, rekor1 and lateRekor1 of version 1.
	fulcio, tsa, lateTSA, rekor, dsseRekor, rekor1, lateRekor1 string

	programs map[Cosign]string
	registry string
	// dir holds keys, trusted roots and signing configurations, and is cosign's home.
	dir string
	// trust is what trusted roots are made of.
	trust material
	// trustedRoot is that of all services.
	trustedRoot []byte
	// online are the paths of signing configurations by what they differ in, offline is that of one without
	// a log and timestamps.
	online  map[signing]string
	offline string
}

// Start starts Fulcio, timestamp authorities, Rekors and an issuer, and ends them with the test. The
// programs are built by runecluster if need be, once, which takes minutes.
func Start(t testing.TB) *Sigstore {
	t.Helper()
	s := &Sigstore{
		issuer: startIssuer(t), dir: t.TempDir(), registry: tool(t, "registry"),
		programs: map[Cosign]string{V2: tool(t, "cosign"), V3: tool(t, "cosign3")},
	}
	s.fulcio = s.startFulcio(t, s.startCertificateLog(t, certificateLogName))
	s.newLogKey(t, otherCertificateLogName)
	s.tsa, s.lateTSA = startTimestampAuthority(t), s.startLateAuthority(t)
	s.rekor = s.startRekor(t, "rekor-server", rekorOrigin)
	s.dsseRekor = s.startRekor(t, "rekor-server-dsse", dsseRekorOrigin)
	s.rekor1, s.lateRekor1 = s.startRekor1(t, rekor1Origin, 0), s.startRekor1(t, lateRekor1Origin, late)
	s.gatherTrust(t)
	s.trustedRoot = s.makeTrustedRoot(t, s.path("trusted-root.json"), Trust{})
	s.makeSigningConfigs(t)
	return s
}

// tool returns the path of a program of the test cluster's tools.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := testcluster.Tool(t.Context(), name)
	if err != nil {
		t.Fatalf("looking for program %q: %v", name, err)
	}
	return path
}

// path returns where a file of this Sigstore lies.
func (s *Sigstore) path(name string) string { return filepath.Join(s.dir, name) }

// write keeps a file and returns its path.
func (s *Sigstore) write(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := s.path(name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatalf("keeping %s: %v", name, err)
	}
	return path
}

// writeJSON keeps a document in a file.
func writeJSON(t testing.TB, path string, document any) {
	t.Helper()
	content, err := json.Marshal(document)
	if err != nil {
		t.Fatalf("writing %s: %v", path, err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatalf("writing %s: %v", path, err)
	}
}
