package cloud_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// clouds is the one world of all tests: the SDKs read proxies and certificate authorities once in a process. They run
// as they are, and ask for the services' real names; a proxy on loopback brings every connection to one server that
// answers in the services' protocols, under certificates of its own authority.
var clouds *world

func TestMain(m *testing.M) {
	code, err := inWorld(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// world answers for every host.
type world struct {
	authority *x509.Certificate
	key       *ecdsa.PrivateKey

	mu sync.Mutex
	// hosts answer by their name; requests are what they were asked.
	hosts    map[string]http.Handler
	requests []string
}

func inWorld(run func() int) (int, error) {
	directory, err := os.MkdirTemp("", "clouds")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(directory)
	if clouds, err = newWorld(); err != nil {
		return 0, err
	}
	server := httptest.NewUnstartedServer(clouds)
	server.TLS = &tls.Config{GetCertificate: clouds.certificate}
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	proxy := httptest.NewServer(tunnel(server.Listener.Addr().String()))
	defer proxy.Close()
	trusted := filepath.Join(directory, "ca.pem")
	content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: clouds.authority.Raw})
	if err := os.WriteFile(trusted, content, 0o600); err != nil {
		return 0, err
	}
	for name, value := range map[string]string{
		"HTTPS_PROXY": proxy.URL, "NO_PROXY": "127.0.0.1", "SSL_CERT_FILE": trusted, "AWS_CA_BUNDLE": trusted, "HOME": directory, "DOCKER_CONFIG": directory,
		"AWS_EC2_METADATA_DISABLED": "true", "NO_GCE_CHECK": "true",
		"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential", "VAULT_MAX_RETRIES": "0",
	} {
		if err := os.Setenv(name, value); err != nil {
			return 0, err
		}
	}
	return run(), nil
}

func newWorld() (*world, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "clouds"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	authority, err := x509.ParseCertificate(raw)
	return &world{authority: authority, key: key, hosts: map[string]http.Handler{}}, err
}

// certificate is good for whatever host is asked for.
func (w *world) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	template := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{hello.ServerName}, NotAfter: time.Now().Add(time.Hour)}
	raw, err := x509.CreateCertificate(rand.Reader, template, w.authority, w.key.Public(), w.key)
	return &tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: w.key}, err
}

// tunnel is an HTTP proxy for CONNECT that connects to one address always.
func tunnel(address string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			http.Error(w, "only CONNECT", http.StatusMethodNotAllowed)
			return
		}
		target, err := net.Dial("tcp", address)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer target.Close()
		client, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer client.Close()
		if _, err := client.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n")); err != nil {
			return
		}
		go copyFrom(target, buffered.Reader)
		_, _ = io.Copy(client, target)
	})
}

func copyFrom(target net.Conn, client *bufio.Reader) {
	_, _ = io.Copy(target, client)
	_ = target.Close()
}

// ServeHTTP implements http.Handler.
func (w *world) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	host := request.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	w.mu.Lock()
	handler := w.hosts[host]
	w.requests = append(w.requests, request.Method+" "+host+request.URL.Path)
	w.mu.Unlock()
	if handler == nil {
		http.Error(response, "nobody is "+host, http.StatusMisdirectedRequest)
		return
	}
	handler.ServeHTTP(response, request)
}

// is lets a host answer for the time of a test.
func (w *world) is(t *testing.T, host string, handler http.Handler) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts[host], w.requests = handler, nil
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.hosts, host)
	})
}

// asked are the requests of a test so far.
func (w *world) asked() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.requests...)
}

// answers writes JSON.
func answers(w http.ResponseWriter, contentType string, status int, value any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

func newECDSA(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newRSA(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func der(t *testing.T, public any) []byte {
	t.Helper()
	raw, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func pemOf(t *testing.T, public any) string {
	t.Helper()
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der(t, public)}))
}

// oneLine fails unless an error is in one line and holds all parts.
func oneLine(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q lacks %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("an error of several lines: %q", err)
	}
}
