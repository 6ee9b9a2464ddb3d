package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

// cluster is the port Secrets: what each namespace holds.
type cluster struct {
	mu      sync.Mutex
	secrets map[string][]corev1.Secret
	err     error
	reads   int
}

func (c *cluster) PullSecrets(_ context.Context, namespace, _ string, _ []string) ([]corev1.Secret, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads++
	return c.secrets[namespace], c.err
}

func (c *cluster) set(namespace string, err error, secrets ...corev1.Secret) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.secrets == nil {
		c.secrets = map[string][]corev1.Secret{}
	}
	c.secrets[namespace], c.err = secrets, err
}

// pullSecret is one as `kubectl create secret docker-registry` makes it.
func pullSecret(name, where, password string) corev1.Secret {
	content, err := json.Marshal(map[string]any{"auths": map[string]any{where: map[string]string{"username": "rune", "password": password}}})
	if err != nil {
		panic(err)
	}
	return corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Type:       corev1.SecretTypeDockerConfigJson,
		Data:       map[string][]byte{corev1.DockerConfigJsonKey: content},
	}
}

// demandBasic makes the registry ask for a user's password.
func (s *server) demandBasic(passwords ...string) {
	s.answer(func(w http.ResponseWriter, request *http.Request) bool {
		for _, password := range passwords {
			if request.Header.Get("Authorization") == basic(password) {
				return false
			}
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
}

func TestOwnCredentials(t *testing.T) {
	s := newServer(t)
	ref := s.push(t, "team/web", "v1")
	s.demandBasic("right")
	tests := map[string]struct {
		keychain authn.Keychain
		want     int
	}{
		"the right ones": {keychain: keychain{s.host(): "right"}},
		"wrong ones":     {keychain: keychain{s.host(): "wrong"}, want: 401},
		"none":           {keychain: keychain{"registry.example.com": "right"}, want: 401},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := newClient(t, registry.Config{Keychain: tt.keychain}).Exists(t.Context(), registry.Access{}, ref)
			if tt.want == 0 && err != nil {
				t.Errorf("Exists = %v", err)
			}
			if tt.want != 0 && failure(t, err).Status != tt.want {
				t.Errorf("Exists = %v, want status %d", err, tt.want)
			}
		})
	}
}

type brokenKeychain struct{}

func (brokenKeychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	return nil, errors.New("config.json: unexpected end of JSON input")
}

func TestOwnCredentialsThatCannotBeRead(t *testing.T) {
	s := newServer(t)
	ref := s.push(t, "team/web", "v1")
	client := newClient(t, registry.Config{Keychain: brokenKeychain{}})
	for range 5 {
		err := client.Exists(t.Context(), registry.Access{}, ref)
		if failed := failure(t, err); !strings.Contains(failed.Cause, "reading the credentials for it: config.json") {
			t.Fatalf("error = %v", err)
		}
	}
}

func TestTokensAreExchangedOnceAndRenewed(t *testing.T) {
	s := newServer(t)
	ref := s.push(t, "team/web", "v1")
	other := s.push(t, "team/api", "v1")
	tokens := &tokenServer{passwords: map[string]string{"first": "one"}}
	s.demandToken(s.URL+"/token", "one", tokens)
	clock := clocktesting.NewFakeClock(time.Now())
	own := keychain{s.host(): "first"}
	client := newClient(t, registry.Config{Keychain: own, Clock: clock})
	ask := func() error { return client.Exists(t.Context(), registry.Access{}, ref) }
	for range 10 {
		if err := ask(); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.Exists(t.Context(), registry.Access{}, other); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"repository:team/web:pull", "repository:team/api:pull"}, tokens.scopes); diff != "" {
		t.Errorf("tokens that were asked for (-want +got):\n%s", diff)
	}
	// The password changes; the token that it gave lives on until the session ends.
	own[s.host()] = "second"
	tokens.passwords = map[string]string{"second": "two"}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	clock.Step(5 * time.Minute)
	s.demandToken(s.URL+"/token", "two", tokens)
	if err := ask(); err != nil {
		t.Errorf("after the renewal: %v", err)
	}
}

func TestNamespacesWithoutTheirOwnCredentialsShareTokens(t *testing.T) {
	s := newServer(t)
	ref := s.push(t, "team/web", "v1")
	tokens := &tokenServer{passwords: map[string]string{"own": "one", "theirs": "one"}}
	s.demandToken(s.URL+"/token", "one", tokens)
	secrets := &cluster{}
	secrets.set("c", nil, pullSecret("pull", s.host(), "theirs"))
	client := newClient(t, registry.Config{Keychain: keychain{s.host(): "own"}, Secrets: secrets})
	for _, namespace := range []string{"", "a", "b", "a", "c", "c"} {
		if err := client.Exists(t.Context(), registry.Access{Namespace: namespace}, ref); err != nil {
			t.Fatal(err)
		}
	}
	if tokens.count() != 2 {
		t.Errorf("%d tokens were asked for, want one of the own credentials and one of namespace c", tokens.count())
	}
}

func TestATokenThatExpiresIsRenewedAtOnce(t *testing.T) {
	s := newServer(t)
	ref := s.push(t, "team/web", "v1")
	tokens := &tokenServer{passwords: map[string]string{"": "one"}}
	s.demandToken(s.URL+"/token", "one", tokens)
	client := newClient(t, registry.Config{})
	if err := client.Exists(t.Context(), registry.Access{}, ref); err != nil {
		t.Fatal(err)
	}
	tokens.passwords = map[string]string{"": "two"}
	s.demandToken(s.URL+"/token", "two", tokens)
	if err := client.Exists(t.Context(), registry.Access{}, ref); err != nil {
		t.Errorf("with a token that expired: %v", err)
	}
	if tokens.count() != 2 {
		t.Errorf("%d tokens were asked for, want 2", tokens.count())
	}
}

func TestATokenServerThatRefusesOrFailsIsNoAnswer(t *testing.T) {
	for name, status := range map[string]int{"refuses": 401, "is not there": 404, "fails": 500, "throttles": 429} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			ref := s.push(t, "team/web", "v1")
			s.demandToken(s.URL+"/token", "one", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
			err := newClient(t, registry.Config{}).Exists(t.Context(), registry.Access{}, ref)
			if failed := failure(t, err); failed.Status != status {
				t.Errorf("error = %+v", failed)
			}
			// The same where a token must be renewed.
			client := newClient(t, registry.Config{})
			s.demandToken(s.URL+"/token", "one", &tokenServer{passwords: map[string]string{"": "one"}})
			if err := client.Exists(t.Context(), registry.Access{}, ref); err != nil {
				t.Fatal(err)
			}
			s.demandToken(s.URL+"/token", "two", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
			err = client.Exists(t.Context(), registry.Access{}, ref)
			if failed := failure(t, err); failed.Status != status {
				t.Errorf("at the renewal: %+v", failed)
			}
			if told := strings.Contains(err.Error(), "when asked for a token"); told != (status != 401) {
				t.Errorf("error = %q", err)
			}
		})
	}
}

func TestABearerTokenIsUsedAsItIs(t *testing.T) {
	s := newServer(t)
	ref := s.push(t, "team/web", "v1")
	tokens := &tokenServer{}
	s.demandToken(s.URL+"/token", "given", tokens)
	given := fixed{&authn.Bearer{Token: "given"}}
	if err := newClient(t, registry.Config{Keychain: given}).Exists(t.Context(), registry.Access{}, ref); err != nil {
		t.Error(err)
	}
	if tokens.count() != 0 {
		t.Errorf("%d tokens were asked for", tokens.count())
	}
}

type fixed struct{ auth authn.Authenticator }

func (f fixed) Resolve(authn.Resource) (authn.Authenticator, error) { return f.auth, nil }

func TestPullSecrets(t *testing.T) {
	s := newServer(t)
	s.push(t, "team-a/web", "v1")
	s.push(t, "team-b/web", "v1")
	s.demandBasic("a", "own")
	broken := corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "broken"}, Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte("{")}}
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "pull", errors.New("no"))
	tests := map[string]struct {
		secrets []corev1.Secret
		err     error
		own     authn.Keychain
		access  registry.Access
		image   string
		// refused is part of the error; empty if the image may be pulled.
		refused string
	}{
		"the secret of the Pod":           {secrets: []corev1.Secret{pullSecret("pull", s.host(), "a")}, image: "team-a/web:v1"},
		"a secret for a path":             {secrets: []corev1.Secret{pullSecret("pull", s.host()+"/team-a", "a")}, image: "team-a/web:v1"},
		"a secret for another path":       {secrets: []corev1.Secret{pullSecret("pull", s.host()+"/team-a", "a")}, image: "team-b/web:v1", refused: "401"},
		"a secret for another registry":   {secrets: []corev1.Secret{pullSecret("pull", "registry.example.com", "a")}, image: "team-a/web:v1", refused: "401"},
		"the longer path wins":            {secrets: []corev1.Secret{pullSecret("x", s.host(), "wrong"), pullSecret("y", s.host()+"/team-a", "a")}, image: "team-a/web:v1"},
		"own credentials come second":     {secrets: []corev1.Secret{pullSecret("pull", s.host()+"/team-a", "a")}, own: keychain{s.host(): "own"}, image: "team-b/web:v1"},
		"a broken one hides no other":     {secrets: []corev1.Secret{broken, pullSecret("pull", s.host(), "a")}, image: "team-a/web:v1"},
		"a broken one is named":           {secrets: []corev1.Secret{broken}, image: "team-a/web:v1", refused: `Secrets "broken"`},
		"forbidden, with own credentials": {err: forbidden, own: keychain{s.host(): "own"}, image: "team-a/web:v1"},
		"forbidden, without": {err: forbidden, image: "team-a/web:v1",
			refused: `asked without the pull secrets of namespace "web", which may not be read by this process`},
		"unreadable":       {err: errors.New("timeout"), image: "team-a/web:v1", refused: `which could not be read: timeout`},
		"no access at all": {secrets: []corev1.Secret{pullSecret("pull", s.host(), "a")}, access: registry.Access{Namespace: "other"}, image: "team-a/web:v1", refused: "401"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			secrets := &cluster{}
			secrets.set("web", tt.err, tt.secrets...)
			client := newClient(t, registry.Config{Secrets: secrets, Keychain: tt.own})
			if tt.access.Namespace == "" {
				tt.access = registry.Access{Namespace: "web", PullSecrets: []string{"pull"}}
			}
			err := client.Exists(t.Context(), tt.access, s.reference(t, tt.image))
			if tt.refused == "" {
				if err != nil {
					t.Errorf("Exists = %v", err)
				}
				return
			}
			if failed := failure(t, err); failed.Status != 401 || !strings.Contains(err.Error(), tt.refused) {
				t.Errorf("Exists = %v, want 401 and %q", err, tt.refused)
			}
		})
	}
}

func TestPullSecretsThatCannotBeReadAreSaidBesideAnAbsentImageToo(t *testing.T) {
	s := newServer(t)
	secrets := &cluster{err: errors.New("timeout")}
	client := newClient(t, registry.Config{Secrets: secrets})
	err := client.Exists(t.Context(), registry.Access{Namespace: "web"}, s.reference(t, "team/web:v1"))
	if err == nil || !strings.Contains(err.Error(), "no such image (asked without the pull secrets") {
		t.Errorf("Exists = %v", err)
	}
}

func TestPullSecretsAreKeptForAMinute(t *testing.T) {
	s := newServer(t)
	for i := range 3 {
		s.push(t, fmt.Sprintf("team/web%d", i), "v1")
	}
	s.demandBasic("new")
	clock := clocktesting.NewFakeClock(time.Now())
	secrets := &cluster{}
	secrets.set("web", nil, pullSecret("pull", s.host(), "old"))
	client := newClient(t, registry.Config{Secrets: secrets, Clock: clock})
	access := registry.Access{Namespace: "web", PullSecrets: []string{"pull"}}
	for i := range 3 {
		failure(t, client.Exists(t.Context(), access, s.reference(t, fmt.Sprintf("team/web%d:v1", i))))
	}
	if secrets.reads != 1 {
		t.Errorf("the secrets were read %d times, want once", secrets.reads)
	}
	secrets.set("web", nil, pullSecret("pull", s.host(), "new"))
	clock.Step(time.Minute)
	if err := client.Exists(t.Context(), access, s.reference(t, "team/web0:v1")); err != nil {
		t.Errorf("with the new secret: %v", err)
	}
	if secrets.reads != 2 {
		t.Errorf("the secrets were read %d times, want twice", secrets.reads)
	}
}

func TestCredentialsStayWithTheRegistry(t *testing.T) {
	tests := map[string]func(s *server) registry.Config{
		"a password": func(s *server) registry.Config {
			s.demandBasic("secret")
			return registry.Config{Keychain: keychain{s.host(): "secret"}}
		},
		"a token": func(s *server) registry.Config {
			s.demandToken(s.URL+"/token", "one", &tokenServer{passwords: map[string]string{"secret": "one"}})
			return registry.Config{Keychain: keychain{s.host(): "secret"}}
		},
	}
	for name, prepare := range tests {
		for _, storageDemands := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, storage demands some: %t", name, storageDemands), func(t *testing.T) {
				var mu sync.Mutex
				var leaked []string
				asked := 0
				storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
					mu.Lock()
					defer mu.Unlock()
					asked++
					if got := request.Header.Get("Authorization"); got != "" {
						leaked = append(leaked, got)
					}
					if storageDemands && asked == 1 {
						w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="x",scope="y"`, request.Host))
						w.WriteHeader(http.StatusUnauthorized)
						return
					}
					_, _ = io.WriteString(w, "{}")
				}))
				t.Cleanup(storage.Close)
				s := newServer(t)
				config := prepare(s)
				demanded := *s.fault.Load()
				s.answer(func(w http.ResponseWriter, request *http.Request) bool {
					if demanded(w, request) {
						return true
					}
					if strings.Contains(request.URL.Path, "/blobs/") {
						http.Redirect(w, request, storage.URL+"/object", http.StatusTemporaryRedirect)
						return true
					}
					return false
				})
				client := newClient(t, config)
				const digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" // of {}
				content, err := client.Blob(t.Context(), registry.Access{}, s.reference(t, "team/web:v1"), digest, 2)
				if !storageDemands && (err != nil || string(content) != "{}") {
					t.Errorf("Blob = %q, %v", content, err)
				}
				mu.Lock()
				defer mu.Unlock()
				if asked == 0 || len(leaked) > 0 {
					t.Errorf("the storage was asked %d times and was shown %q", asked, leaked)
				}
			})
		}
	}
}
