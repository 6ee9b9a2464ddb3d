package registry

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"k8s.io/utils/clock"
)

// recorder notes what would be sent, and answers 200 to plain HTTP only.
type recorder struct{ sent []string }

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	r.sent = append(r.sent, request.URL.String())
	if request.URL.Scheme == "https" {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: request}, nil
}

func TestPlainHTTPGoesToThisMachineAndListedHostsOnly(t *testing.T) {
	tests := map[string]struct {
		registry, target string
		want             bool
	}{
		"this machine":                         {registry: "127.0.0.1:5000", target: "http://127.0.0.1:5000", want: true},
		"another address of this machine":      {registry: "127.1.2.3", target: "http://127.1.2.3", want: true},
		"this machine by IPv6":                 {registry: "[::1]:5000", target: "http://[::1]:5000", want: true},
		"this machine by name":                 {registry: "localhost:5000", target: "http://localhost:5000", want: true},
		"a name below localhost":               {registry: "registry.localhost", target: "http://registry.localhost", want: true},
		"a private address":                    {registry: "10.0.0.1:5000", target: "http://10.0.0.1:5000"},
		"another private address":              {registry: "192.168.1.1", target: "http://192.168.1.1"},
		"a name in the local network":          {registry: "registry.local:5000", target: "http://registry.local:5000"},
		"a name that begins like this machine": {registry: "localhost.example.com", target: "http://localhost.example.com"},
		"an address that begins like it":       {registry: "127.0.0.1.example.com", target: "http://127.0.0.1.example.com"},
		"a listed host":                        {registry: "plain.example.com", target: "http://plain.example.com", want: true},
		"a listed host on another port":        {registry: "plain.example.com:5000", target: "http://plain.example.com:5000"},
		"a storage of a listed host":           {registry: "plain.example.com", target: "http://storage.example.com"},
		"this machine, for another":            {registry: "registry.example.com", target: "http://127.0.0.1:5000"},
		"HTTPS anywhere":                       {registry: "registry.example.com", target: "https://registry.example.com", want: true},
		"HTTPS to a listed host":               {registry: "plain.example.com", target: "https://plain.example.com"},
		"HTTPS to a storage of a listed host":  {registry: "plain.example.com", target: "https://storage.example.com", want: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inner := &recorder{}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tt.target+"/v2/", nil)
			if err != nil {
				t.Fatal(err)
			}
			if response, err := newGuard(t, tt.registry, inner).RoundTrip(request); err == nil {
				_ = response.Body.Close()
			}
			if got := len(inner.sent) == 1; got != tt.want {
				t.Errorf("sent: %t, want %t", got, tt.want)
			}
		})
	}
}

func newGuard(t *testing.T, host string, inner http.RoundTripper) *guard {
	t.Helper()
	client, err := New(Config{Registries: []Registry{{Host: "plain.example.com", PlainHTTP: true}}})
	if err != nil {
		t.Fatal(err)
	}
	return &guard{
		inner: inner, host: host, plain: client.isPlain, onlyPlain: client.settings[host].PlainHTTP,
		clock: clock.RealClock{}, observe: func(Request) {}, userAgent: "test",
	}
}

// The library tries plain HTTP on private addresses; the guard has the last word.
func TestAPrivateAddressIsNotPingedByPlainHTTP(t *testing.T) {
	host, err := name.NewRegistry("10.0.0.1:5000")
	if err != nil {
		t.Fatal(err)
	}
	inner := &recorder{}
	_, err = transport.Ping(t.Context(), host, newGuard(t, "10.0.0.1:5000", inner))
	if err == nil || len(inner.sent) != 1 || inner.sent[0] != "https://10.0.0.1:5000/v2/" {
		t.Errorf("Ping = %v after %q, want an error after HTTPS alone", err, inner.sent)
	}
}

func TestLinkLocalAddressesAreNotDialled(t *testing.T) {
	for address, want := range map[string]bool{
		"169.254.169.254:80": false, "[fe80::1]:443": false, "[fe80::1%eth0]:443": false, "[::ffff:169.254.169.254]:80": false,
		"10.0.0.1:443": true, "127.0.0.1:5000": true, "[2001:db8::1]:443": true, "nonsense": false,
	} {
		if err := refuseLinkLocal("tcp", address, nil); (err == nil) != want {
			t.Errorf("dialling %q: %v, want it allowed: %t", address, err, want)
		}
	}
}

func TestParseRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	tests := map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"7":                             7 * time.Second,
		" 7 ":                           7 * time.Second,
		"-1":                            0,
		"soon":                          0,
		"1.5":                           0,
		"3600":                          longestRetryAfter,
		"18446744073709551615":          longestRetryAfter,
		strings.Repeat("9", 40):         0,
		"Sun, 01 Nov 2026 12:00:09 GMT": 9 * time.Second,
		"Sun, 01 Nov 2026 11:00:00 GMT": 0,
		"Mon, 01 Nov 2027 12:00:00 GMT": longestRetryAfter,
	}
	for text, want := range tests {
		if got := parseRetryAfter(text, now); got != want {
			t.Errorf("parseRetryAfter(%q) = %s, want %s", text, got, want)
		}
	}
}
