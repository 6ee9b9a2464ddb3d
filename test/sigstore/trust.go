package sigstore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// distantPast is before anything that a test signs.
const distantPast = "2000-01-01T00:00:00Z"

// Lifetimes are when services of a trusted root ended to be trusted; zero times mean never.
type Lifetimes struct {
	// CertificateAuthority and TimestampAuthority are the last instants at which Fulcio issued
	// certificates and the timestamp authority stamped that count.
	CertificateAuthority, TimestampAuthority time.Time
}

// material is what trusted roots are made of: the paths of chains in PEM.
type material struct{ fulcio, tsa string }

// gatherTrust asks the services for their chains.
func (s *Sigstore) gatherTrust(t testing.TB) {
	t.Helper()
	for path, url := range map[*string]string{
		&s.trust.fulcio: s.fulcio + "/api/v1/rootCert", &s.trust.tsa: s.tsa + "/api/v1/timestamp/certchain",
	} {
		chain, err := get(t.Context(), url)
		if err != nil {
			t.Fatalf("asking for a certificate chain: %v", err)
		}
		name := "fulcio.pem"
		if path == &s.trust.tsa {
			name = "tsa.pem"
		}
		*path = s.write(t, name, chain)
	}
}

// TrustedRoot returns the trusted root of all services, as cosign writes it.
func (s *Sigstore) TrustedRoot() []byte { return s.trustedRoot }

// TrustedRootThatEnded returns a trusted root in which services ended to be trusted.
func (s *Sigstore) TrustedRootThatEnded(t testing.TB, ended Lifetimes) []byte {
	t.Helper()
	return s.makeTrustedRoot(t, filepath.Join(t.TempDir(), "trusted-root.json"), ended)
}

func (s *Sigstore) makeTrustedRoot(t testing.TB, out string, ended Lifetimes) []byte {
	t.Helper()
	s.cosign(t, V3, "trusted-root", "create", "--out", out,
		"--fulcio", service(s.fulcio, ended.CertificateAuthority, "certificate-chain="+s.trust.fulcio),
		"--tsa", service(s.tsa+"/api/v1/timestamp", ended.TimestampAuthority, "certificate-chain="+s.trust.tsa),
		"--rekor", service("https://"+rekorOrigin, time.Time{}, "public-key="+s.path(rekorOrigin+".pub"), "origin="+rekorOrigin),
		"--rekor", service("https://"+dsseRekorOrigin, time.Time{}, "public-key="+s.path(dsseRekorOrigin+".pub"), "origin="+dsseRekorOrigin))
	root, err := os.ReadFile(out)
	if err != nil {
		t.Fatalf("reading the trusted root: %v", err)
	}
	return root
}

// service is how cosign's flags describe one.
func service(url string, ended time.Time, more ...string) string {
	fields := append([]string{"url=" + url, "start-time=" + distantPast}, more...)
	if !ended.IsZero() {
		fields = append(fields, "end-time="+ended.UTC().Format(time.RFC3339))
	}
	return strings.Join(fields, ",")
}

// makeSigningConfigs writes what tells cosign where to sign.
func (s *Sigstore) makeSigningConfigs(t testing.TB) {
	t.Helper()
	create := func(name string, services ...string) string {
		out := s.path(name)
		s.cosign(t, V3, append([]string{"signing-config", "create", "--out", out}, services...)...)
		return out
	}
	describe := func(url, version string) string {
		return service(url, time.Time{}, "api-version="+version, "operator=sigstore.test")
	}
	online := func(rekor string) []string {
		return []string{
			"--fulcio", describe(s.fulcio, "1"), "--tsa", describe(s.tsa+"/api/v1/timestamp", "1"), "--tsa-config", "EXACT:1",
			"--rekor", describe(rekor, "2"), "--rekor-config", "EXACT:1",
		}
	}
	s.online = create("signing-config.json", online(s.rekor)...)
	s.dsseOnline = create("signing-config-dsse.json", online(s.dsseRekor)...)
	s.offline = create("signing-config-offline.json")
}
