package registry_test

import (
	"crypto/tls"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

// certificate of a test server, in PEM.
func certificate(s *server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

func TestPrivateCertificates(t *testing.T) {
	s := newTLSServer(t)
	other := startServer(t, func(h *httptest.Server) {
		h.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
		h.StartTLS()
	})
	file := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(file, []byte(certificate(s)), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		server *server
		entry  registry.Registry
		want   string
	}{
		"unknown":          {want: "certificate signed by unknown authority"},
		"known by data":    {entry: registry.Registry{CAData: certificate(s)}},
		"known by file":    {entry: registry.Registry{CAFile: file}},
		"not verified":     {entry: registry.Registry{SkipTLSVerify: true}},
		"plain HTTP to it": {entry: registry.Registry{PlainHTTP: true}, want: "400"},
		"an old version":   {server: other, entry: registry.Registry{SkipTLSVerify: true}, want: "protocol version"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.server == nil {
				tt.server = s
			}
			ref := tt.server.push(t, "team/web", "v1")
			tt.entry.Host = tt.server.host()
			client := newClient(t, registry.Config{Registries: []registry.Registry{tt.entry}})
			err := client.Exists(t.Context(), registry.Access{}, ref)
			if tt.want == "" {
				if err != nil {
					t.Errorf("Exists = %v", err)
				}
				return
			}
			if failed := failure(t, err); !strings.Contains(failed.Cause, tt.want) {
				t.Errorf("cause = %q, want %q", failed.Cause, tt.want)
			}
		})
	}
}

func TestOneRegistrysSettingsAreNotAnothers(t *testing.T) {
	s := newTLSServer(t)
	ref := s.push(t, "team/web", "v1")
	client := newClient(t, registry.Config{Registries: []registry.Registry{{Host: "registry.example.com", SkipTLSVerify: true}}})
	err := client.Exists(t.Context(), registry.Access{}, ref)
	if failed := failure(t, err); !strings.Contains(failed.Cause, "unknown authority") {
		t.Errorf("cause = %q", failed.Cause)
	}
}
