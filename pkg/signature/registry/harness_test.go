package registry_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

// someDigest is well formed and of nothing.
const someDigest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// server is a real registry in memory that counts, and whose answers a test can replace.
type server struct {
	*httptest.Server
	real  http.Handler
	fault atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]

	mu   sync.Mutex
	seen []string
}

func newServer(t testing.TB, options ...ggcr.Option) *server {
	t.Helper()
	return startServer(t, (*httptest.Server).Start, options...)
}

func newTLSServer(t testing.TB, options ...ggcr.Option) *server {
	t.Helper()
	return startServer(t, (*httptest.Server).StartTLS, options...)
}

func startServer(t testing.TB, start func(*httptest.Server), options ...ggcr.Option) *server {
	t.Helper()
	s := &server{real: ggcr.New(append(options, ggcr.Logger(log.New(io.Discard, "", 0)))...)}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		s.mu.Lock()
		s.seen = append(s.seen, request.Method+" "+request.URL.Path)
		s.mu.Unlock()
		if fault := s.fault.Load(); fault != nil && (*fault)(w, request) {
			return
		}
		s.real.ServeHTTP(w, request)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	start(s.Server)
	t.Cleanup(s.Close)
	return s
}

// host of the registry with its port.
func (s *server) host() string { return s.Listener.Addr().String() }

// answer replaces answers; the handler returns false for those that stay the registry's. Nil heals it.
func (s *server) answer(handler func(http.ResponseWriter, *http.Request) bool) {
	if handler == nil {
		s.fault.Store(nil)
		return
	}
	s.fault.Store(&handler)
}

// status answers every request whose path contains a text with a status.
func (s *server) status(part string, status int, header ...string) {
	s.answer(func(w http.ResponseWriter, request *http.Request) bool {
		if !strings.Contains(request.URL.Path, part) {
			return false
		}
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		return true
	})
}

// requests returns what was asked since the last call.
func (s *server) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.seen
	s.seen = nil
	return seen
}

// push writes an image under a tag and returns its reference by digest.
func (s *server) push(t testing.TB, repository, tag string) image.Reference {
	t.Helper()
	img, err := random.Image(256, 1)
	if err != nil {
		t.Fatal(err)
	}
	return s.write(t, repository, tag, img)
}

func (s *server) write(t testing.TB, repository, tag string, img v1.Image) image.Reference {
	t.Helper()
	target, err := name.NewTag(s.host() + "/" + repository + ":" + tag)
	if err != nil {
		t.Fatal(err)
	}
	// Straight into the handler, so that neither faults nor certificates are in the way.
	if err := remote.Write(target, img, remote.WithTransport(direct{s.real})); err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return s.reference(t, repository+"@"+digest.String())
}

// refer pushes an artifact that refers to an image and returns its digest.
func (s *server) refer(t *testing.T, subject image.Reference, artifactType, content string) string {
	t.Helper()
	img, err := mutate.AppendLayers(empty.Image, static.NewLayer([]byte(content), types.MediaType(artifactType)))
	if err != nil {
		t.Fatal(err)
	}
	img = mutate.ConfigMediaType(mutate.MediaType(img, types.OCIManifestSchema1), types.MediaType(artifactType))
	hash, err := v1.NewHash(subject.Digest)
	if err != nil {
		t.Fatal(err)
	}
	withSubject, ok := mutate.Subject(img, v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: hash, Size: 1}).(v1.Image)
	if !ok {
		t.Fatal("an image with a subject is no image")
	}
	digest, err := withSubject.Digest()
	if err != nil {
		t.Fatal(err)
	}
	target, err := name.NewDigest(subject.Name() + "@" + digest.String())
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(target, withSubject, remote.WithTransport(direct{s.real})); err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

func (s *server) reference(t testing.TB, rest string) image.Reference {
	t.Helper()
	return parse(t, s.host()+"/"+rest)
}

// direct is a transport that calls a handler.
type direct struct{ handler http.Handler }

func (d direct) RoundTrip(request *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	if request.Body == nil {
		request.Body = http.NoBody
	}
	d.handler.ServeHTTP(recorder, request)
	response := recorder.Result()
	response.Request = request
	return response, nil
}

func parse(t testing.TB, text string) image.Reference {
	t.Helper()
	ref, err := image.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// anonymous is a keychain without credentials, so that tests do not read those of who runs them.
type anonymous struct{}

func (anonymous) Resolve(authn.Resource) (authn.Authenticator, error) { return authn.Anonymous, nil }

// keychain holds user and password by host.
type keychain map[string]string

func (k keychain) Resolve(target authn.Resource) (authn.Authenticator, error) {
	password, found := k[target.RegistryStr()]
	if !found {
		return authn.Anonymous, nil
	}
	return &authn.Basic{Username: "rune", Password: password}, nil
}

func newClient(t testing.TB, config registry.Config) *registry.Client {
	t.Helper()
	if config.Keychain == nil {
		config.Keychain = anonymous{}
	}
	client, err := registry.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// tokenServer hands out a token for each password; it is a handler to be put anywhere.
type tokenServer struct {
	// passwords by the token that they are exchanged for; "" is the anonymous one.
	passwords map[string]string

	mu     sync.Mutex
	asked  int
	scopes []string
}

func (s *tokenServer) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	_, password, _ := request.BasicAuth()
	s.mu.Lock()
	s.asked++
	s.scopes = append(s.scopes, request.URL.Query().Get("scope"))
	s.mu.Unlock()
	token, found := s.passwords[password]
	if !found {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"token": token})
}

func (s *tokenServer) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// demandToken makes the registry ask for one token.
func (s *server) demandToken(realm, token string, tokens http.Handler) {
	s.answer(func(w http.ResponseWriter, request *http.Request) bool {
		if request.URL.Path == "/token" {
			tokens.ServeHTTP(w, request)
			return true
		}
		if request.Header.Get("Authorization") == "Bearer "+token {
			return false
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm=%q,service="test"`, realm))
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
}

func basic(password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte("rune:"+password))
}

// eventually waits for a condition that another goroutine brings about.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, 10*time.Second, true, func(context.Context) (bool, error) {
		return condition(), nil
	})
	if err != nil {
		t.Fatalf("waiting until %s: %v", what, err)
	}
}
