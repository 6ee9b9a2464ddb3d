package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"
)

const environments = `
apiVersion: rune.runeframeos.com/v1alpha1
kind: Environment
metadata: {name: staging}
spec:
  namespaces: [shop]
  rules:
    images: {pin: Never}
    resources: {require: [limits.memory]}
---
apiVersion: rune.runeframeos.com/v1alpha1
kind: Environment
metadata: {name: production}
spec:
  namespaces: [shop]
  rules:
    images: {pin: Never}
    approval: {}
`

// freePort returns a port that was free a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// served is a webhook that serves from files.
type served struct {
	url, config string
	client      *http.Client
}

func serve(t *testing.T) *served {
	t.Helper()
	config, certDir := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(config, "env.yaml"), []byte(environments), 0o600); err != nil {
		t.Fatal(err)
	}
	port, probes, metrics := freePort(t), freePort(t), freePort(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- RunFiles(ctx, FileOptions{
			Options: Options{
				NewImages: makeNoImages, Log: logr.Discard(), Clock: clock.RealClock{}, Port: port,
				ProbeAddress: fmt.Sprintf("127.0.0.1:%d", probes), MetricsAddress: fmt.Sprintf("127.0.0.1:%d", metrics),
			},
			Directory: config, CertDir: certDir,
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("RunFiles: %v", err)
		}
	})
	eventually(t, "the webhook is ready", func() bool {
		return get(t, http.DefaultClient, fmt.Sprintf("http://127.0.0.1:%d/readyz", probes)) != ""
	})
	ca, err := os.ReadFile(filepath.Join(certDir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &served{
		url: fmt.Sprintf("https://localhost:%d", port), config: config,
		client: &http.Client{Transport: transport},
	}
}

// get returns the body of an answer 200, nothing otherwise.
func get(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil || response.StatusCode != http.StatusOK {
		return ""
	}
	return body.String()
}

func (s *served) ask(t *testing.T, environment string, object string) *admissionv1.AdmissionResponse {
	t.Helper()
	body, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "u", Name: "web", Namespace: "shop", Operation: admissionv1.Create,
			Kind:     metav1.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
			Resource: metav1.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"},
			UserInfo: authenticationv1.UserInfo{Username: "ann"},
			Object:   runtime.RawExtension{Raw: []byte(object)},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/validate/"+environment+"?timeout=10s", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.ProtoMajor != 2 {
		t.Errorf("served by %s, and API servers use HTTP/2", response.Proto)
	}
	var answer admissionv1.AdmissionReview
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer.Response
}

func deployment(limits, annotation string) string {
	return fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"Deployment",
		"metadata":{"name":"web","namespace":"shop","annotations":{%s}},
		"spec":{"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},
		"spec":{"containers":[{"name":"app","image":"x:v1","resources":{"limits":{%s}}}]}}}}`, annotation, limits)
}

// One server for all that it is asked, because metrics are registered once per process.
func TestServingFromFiles(t *testing.T) {
	s := serve(t)
	if got := s.ask(t, "staging", deployment(`"memory":"1Mi"`, "")); !got.Allowed {
		t.Errorf("a good Deployment: %+v", got.Result)
	}
	got := s.ask(t, "staging", deployment("", ""))
	if got.Allowed || !strings.Contains(got.Result.Message, `container "app" must set resources.limits.memory`) {
		t.Errorf("a Deployment without a limit: %+v", got.Result)
	}
	got = s.ask(t, "production", deployment("", `"rune.runeframeos.com/release":"web-1"`))
	if got.Allowed || !strings.Contains(got.Result.Message, "serves from files and has no API server") {
		t.Errorf("a Deployment that needs approval: %+v", got.Result)
	}

	for _, made := range []string{"prodution", "x"} {
		got = s.ask(t, made, deployment(`"memory":"1Mi"`, ""))
		want := fmt.Sprintf("there is no Environment %q: %s holds %q, %q", made, s.config, "production", "staging")
		if got.Allowed || got.Result.Code != http.StatusNotFound || got.Result.Message != want {
			t.Errorf("an Environment that does not exist: %+v, want %q", got.Result, want)
		}
	}

	changed := strings.Replace(environments, "limits.memory", "limits.cpu", 1)
	if err := os.WriteFile(filepath.Join(s.config, "env.yaml"), []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the changed file counts", func() bool {
		return !s.ask(t, "staging", deployment(`"memory":"1Mi"`, "")).Allowed
	})
}

func TestMissingDirectoryIsNamed(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none")
	err := RunFiles(t.Context(), FileOptions{
		Options: Options{NewImages: makeNoImages, Log: logr.Discard(), Clock: clock.RealClock{}}, Directory: missing,
	})
	want := "reading --config: open " + missing + ": no such file or directory"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
