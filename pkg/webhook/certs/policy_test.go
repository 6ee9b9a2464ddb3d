package certs

import (
	"crypto/x509"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const day = 24 * time.Hour

func testPolicy() Policy {
	return DefaultPolicy(Names{DNS: []string{"rune-webhook.rune-system.svc"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})
}

func start() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func always(*x509.Certificate) bool { return true }
func never(*x509.Certificate) bool  { return false }

func mustDue(t *testing.T, p Policy, m *Material, now time.Time, published func(*x509.Certificate) bool) (*Material, []string) {
	t.Helper()
	next, changes, err := p.Due(m, now, published)
	if err != nil {
		t.Fatalf("Due: %v", err)
	}
	return next, changes
}

// accepts tells whether a client that trusts the bundle accepts the serving certificate at a time.
func accepts(t *testing.T, bundle []byte, serving *x509.Certificate, at time.Time) error {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(bundle) {
		t.Fatal("the bundle holds no certificate")
	}
	_, err := serving.Verify(x509.VerifyOptions{
		Roots: roots, DNSName: "rune-webhook.rune-system.svc", CurrentTime: at,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return err
}

func TestPolicyDoesWhatIsDue(t *testing.T) {
	fresh, _ := mustDue(t, testPolicy(), nil, start(), always)
	prepared, _ := mustDue(t, testPolicy(), fresh, start().Add(250*day), always)
	moreNames := testPolicy()
	moreNames.Names.DNS = append(moreNames.Names.DNS, "other.example")
	tests := map[string]struct {
		policy    Policy
		current   *Material
		after     time.Duration
		published func(*x509.Certificate) bool
		want      []string
	}{
		"nothing there makes both":                                 {current: nil, want: []string{"made an authority", "made a serving certificate"}},
		"a minute later nothing":                                   {current: fresh, after: time.Minute},
		"before the last third of the serving certificate nothing": {current: fresh, after: 60*day - time.Second},
		"in its last third it is replaced":                         {current: fresh, after: 60*day + time.Second, want: []string{"made a serving certificate that lives longer"}},
		"an expired one is replaced":                               {current: fresh, after: 91 * day, want: []string{"made a serving certificate that lives longer"}},
		"a missing name replaces it":                               {policy: moreNames, current: fresh, after: time.Minute, want: []string{"made a serving certificate for more names"}},
		"in its last third the authority gets a successor that signs nothing yet": {current: fresh, after: 250 * day,
			want: []string{"prepared the next authority", "made a serving certificate that lives longer"}},
		"the successor waits for the overlap":     {current: prepared, after: 251*day - time.Second},
		"the successor waits for the publication": {current: prepared, after: 252 * day, published: never},
		"then it takes over": {current: prepared, after: 251 * day,
			want: []string{"put the next authority to use", "made a serving certificate by the authority in use"}},
		"an expired authority is replaced at once": {current: fresh, after: 366 * day, published: never,
			want: []string{"prepared the next authority", "put the next authority to use", "made a serving certificate by the authority in use"}},
		"an expired authority yields to a successor that nobody published": {current: prepared, after: 366 * day, published: never,
			want: []string{"put the next authority to use", "made a serving certificate by the authority in use"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			policy := test.policy
			if policy.CAValidity == 0 {
				policy = testPolicy()
			}
			if test.published == nil {
				test.published = always
			}
			now := start().Add(test.after)
			got, changes := mustDue(t, policy, test.current, now, test.published)
			if diff := cmp.Diff(test.want, changes); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if len(test.want) == 0 && got != test.current {
				t.Error("nothing was due, yet the material is another one")
			}
			if err := accepts(t, got.Bundle(), got.Serving.Cert, now); err != nil {
				t.Errorf("the bundle does not cover the serving certificate: %v", err)
			}
			parsed, err := Parse(got.data())
			if err != nil {
				t.Fatalf("what was made cannot be read: %v", err)
			}
			if !parsed.equal(got) {
				t.Error("what was made is not what is read")
			}
			if missing := policy.Names.missingFrom(got.Serving.Cert); missing {
				t.Error("the serving certificate lacks a name")
			}
		})
	}
}

// Four years in steps of four hours: at each step every client that trusts any bundle of the last 12 hours
// accepts every serving certificate of the last 12 hours, and no authority signs before its time.
func TestNoMomentOfDistrustInFourYears(t *testing.T) {
	type moment struct {
		bundle  string
		serving *x509.Certificate
	}
	const (
		step = 4 * time.Hour
		lag  = 3 // steps
	)
	policy, now := testPolicy(), start()
	var current *Material
	var recent []moment
	authorities := map[string]bool{}
	for range 4 * 365 * day / step {
		// What a client was told a step ago is what it trusts now.
		told := ""
		if len(recent) > 0 {
			told = recent[len(recent)-1].bundle
		}
		next, changes := mustDue(t, policy, current, now, func(ca *x509.Certificate) bool {
			return strings.Contains(told, string(encodeCertificates([]*x509.Certificate{ca})))
		})
		current = next
		authorities[current.CA.Cert.SerialNumber.String()] = true
		recent = append(recent, moment{bundle: string(current.Bundle()), serving: current.Serving.Cert})
		if len(recent) > lag {
			recent = recent[1:]
		}
		if len(changes) == 0 && now.Sub(start())%(7*day) != 0 {
			now = now.Add(step)
			continue
		}
		for _, client := range recent {
			for _, server := range recent {
				if err := accepts(t, []byte(client.bundle), server.serving, now); err != nil {
					t.Fatalf("at %s (%v): %v", now, changes, err)
				}
			}
		}
		now = now.Add(step)
	}
	if len(authorities) < 5 {
		t.Errorf("only %d authorities in four years: the rotation was not exercised", len(authorities))
	}
	if len(current.Retired) > 2 {
		t.Errorf("%d retired authorities are kept", len(current.Retired))
	}
}

func TestParseRefusesWhatCannotServe(t *testing.T) {
	good, _ := mustDue(t, testPolicy(), nil, start(), always)
	other, _ := mustDue(t, testPolicy(), nil, start(), always)
	rotating, _ := mustDue(t, testPolicy(), good, start().Add(250*day), always)
	tests := map[string]struct {
		data map[string][]byte
		edit func(map[string][]byte)
		want string
	}{
		"an empty Secret":   {edit: func(d map[string][]byte) { clear(d) }, want: "reading ca.crt"},
		"no authority key":  {edit: func(d map[string][]byte) { delete(d, keyCAKey) }, want: "reading ca.key"},
		"a cut certificate": {edit: func(d map[string][]byte) { d[keyServingCert] = d[keyServingCert][:40] }, want: "reading tls.crt"},
		"another key":       {edit: func(d map[string][]byte) { d[keyServingKey] = other.data()[keyServingKey] }, want: "does not belong to tls.crt"},
		"a certificate of another authority": {edit: func(d map[string][]byte) {
			d[keyServingCert], d[keyServingKey] = other.data()[keyServingCert], other.data()[keyServingKey]
		}, want: "not signed by ca.crt"},
		"a serving certificate as authority": {edit: func(d map[string][]byte) {
			d[keyCACert], d[keyCAKey] = d[keyServingCert], d[keyServingKey]
		}, want: "not a certificate authority"},
		"half a successor":       {data: rotating.data(), edit: func(d map[string][]byte) { delete(d, keyNextCAKey) }, want: "reading next-ca.key"},
		"rubbish as retired CAs": {edit: func(d map[string][]byte) { d[keyRetiredCAs] = []byte("x") }, want: "reading retired-ca.crt"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			data := maps.Clone(test.data)
			if data == nil {
				data = good.data()
			}
			test.edit(data)
			_, err := Parse(data)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestServingNamesAreNeverTakenAway(t *testing.T) {
	a := testPolicy()
	b := DefaultPolicy(Names{DNS: []string{"localhost"}})
	m, _ := mustDue(t, a, nil, start(), always)
	m, changes := mustDue(t, b, m, start(), always)
	if len(changes) != 1 {
		t.Fatalf("changes: %v", changes)
	}
	if !slices.Contains(m.Serving.Cert.DNSNames, "localhost") || !slices.Contains(m.Serving.Cert.DNSNames, "rune-webhook.rune-system.svc") {
		t.Errorf("names: %v", m.Serving.Cert.DNSNames)
	}
	if _, changes := mustDue(t, a, m, start(), always); len(changes) > 0 {
		t.Errorf("the first webhook changes it back: %v", changes)
	}
}
