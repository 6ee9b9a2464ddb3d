package sigstore

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// distantPast is before anything that a test signs.
const distantPast = "2000-01-01T00:00:00Z"

// Trust is in what a trusted root differs from that of all services.
type Trust struct {
	// CertificateAuthorityEnd and TimestampAuthorityEnd are the last instants at which certificates that
	// Fulcio issued, and stamps of the timestamp authority, count; zero means that they always do.
	CertificateAuthorityEnd, TimestampAuthorityEnd time.Time
	// OtherCertificateLog has a certificate transparency log in it that knows none of Fulcio's certificates,
	// instead of the one that does.
	OtherCertificateLog bool
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

// TrustedRootOf returns a trusted root that differs.
func (s *Sigstore) TrustedRootOf(t testing.TB, trust Trust) []byte {
	t.Helper()
	return s.makeTrustedRoot(t, filepath.Join(t.TempDir(), "trusted-root.json"), trust)
}

func (s *Sigstore) makeTrustedRoot(t testing.TB, out string, trust Trust) []byte {
	t.Helper()
	certificateLog := certificateLogName
	if trust.OtherCertificateLog {
		certificateLog = otherCertificateLogName
	}
	s.cosign(t, V3, "trusted-root", "create", "--out", out,
		"--fulcio", service(s.fulcio, trust.CertificateAuthorityEnd, "certificate-chain="+s.trust.fulcio),
		"--tsa", service(s.tsa+"/api/v1/timestamp", trust.TimestampAuthorityEnd, "certificate-chain="+s.trust.tsa),
		"--tsa", service(s.lateTSA+"/api/v1/timestamp", time.Time{}, "certificate-chain="+s.path("late-tsa.pem")),
		"--ctfe", service("https://"+certificateLog, time.Time{}, "public-key="+s.path(certificateLog+".pub")),
		"--rekor", service("https://"+rekorOrigin, time.Time{}, "public-key="+s.path(rekorOrigin+".pub"), "origin="+rekorOrigin),
		"--rekor", service("https://"+dsseRekorOrigin, time.Time{}, "public-key="+s.path(dsseRekorOrigin+".pub"), "origin="+dsseRekorOrigin),
		"--rekor", service("https://"+rekor1Origin, time.Time{}, "public-key="+s.path(rekor1Origin+".pub")),
		"--rekor", service("https://"+lateRekor1Origin, time.Time{}, "public-key="+s.path(lateRekor1Origin+".pub")))
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

// signing is what one signing configuration differs from another in.
type signing struct {
	cosign  Cosign
	witness Witness
	late    bool
}

// makeSigningConfigs writes what tells cosign where to sign.
func (s *Sigstore) makeSigningConfigs(t testing.TB) {
	t.Helper()
	create := func(name string, services ...string) string {
		out := s.path(name)
		s.cosign(t, V3, append([]string{"signing-config", "create", "--out", out}, services...)...)
		return out
	}
	s.offline = create("signing-config-offline.json")
	s.online = map[signing]string{}
	for _, cosign := range []Cosign{V2, V3} {
		for _, witness := range []Witness{LogAndStamp, LogAlone, StampAlone} {
			for _, late := range []bool{false, true} {
				name := fmt.Sprintf("signing-config-%s-%s-%t.json", cosign, witness, late)
				s.online[signing{cosign, witness, late}] = create(name, s.servicesOf(signing{cosign, witness, late})...)
			}
		}
	}
}

// servicesOf names the services that a signature needs. Rekor 2 says no time, so that it is no witness alone.
func (s *Sigstore) servicesOf(o signing) []string {
	describe := func(url, version string) string {
		return service(url, time.Time{}, "api-version="+version, "operator=sigstore.test")
	}
	flags := []string{"--fulcio", describe(s.fulcio, "1")}
	if o.witness != LogAlone {
		flags = append(flags, "--tsa", describe(s.stamps(o.late)+"/api/v1/timestamp", "1"), "--tsa-config", "EXACT:1")
	}
	switch rekor := map[Cosign]string{V2: s.dsseRekor, V3: s.rekor}[o.cosign]; o.witness {
	case LogAlone:
		flags = append(flags, "--rekor", describe(s.log1(o.late), "1"), "--rekor-config", "EXACT:1")
	case LogAndStamp:
		flags = append(flags, "--rekor", describe(rekor, "2"), "--rekor-config", "EXACT:1")
	}
	return flags
}

// stamps returns the timestamp authority.
func (s *Sigstore) stamps(late bool) string {
	if late {
		return s.lateTSA
	}
	return s.tsa
}

// log1 returns the log of version 1.
func (s *Sigstore) log1(late bool) string {
	if late {
		return s.lateRekor1
	}
	return s.rekor1
}
