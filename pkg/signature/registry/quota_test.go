package registry_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

// TestWhatIsThrottledForOneIsNotForOthers has a stranger's repository, or a stranger's credentials, bring about all
// that a registry says to those who ask too much.
func TestWhatIsThrottledForOneIsNotForOthers(t *testing.T) {
	stranger := registry.Access{Namespace: "stranger", ServiceAccount: "x"}
	tests := map[string]struct {
		header []string
		// repository and access that ask too much.
		repository string
		access     registry.Access
		want       string
	}{
		"a repository that asks for patience":   {header: []string{"Retry-After", "600"}, repository: "stranger/x", access: stranger, want: "asks to be left alone for 10m0s"},
		"a repository that does not say so":     {repository: "stranger/x", access: stranger, want: "not asked again for 1s"},
		"a repository, without pull secrets":    {header: []string{"Retry-After", "600"}, repository: "stranger/x", want: "asks to be left alone for 10m0s"},
		"credentials for the same repository":   {header: []string{"Retry-After", "600"}, repository: "team/web", access: stranger, want: "asks to be left alone for 10m0s"},
		"credentials, and it does not say when": {repository: "team/web", access: stranger, want: "not asked again for 1s"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			refs := map[string]image.Reference{"team/web": s.push(t, "team/web", "v1"), "stranger/x": s.push(t, "stranger/x", "v1")}
			theirs := &cluster{}
			theirs.set("stranger", nil, pullSecret("pull", s.host(), "theirs"))
			s.answer(func(w http.ResponseWriter, request *http.Request) bool {
				if request.URL.Path == "/v2/" {
					w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
					w.WriteHeader(http.StatusUnauthorized)
					return true
				}
				if !strings.Contains(request.URL.Path, "/v2/stranger/") && request.Header.Get("Authorization") != basic("theirs") {
					return false
				}
				for i := 0; i+1 < len(tt.header); i += 2 {
					w.Header().Set(tt.header[i], tt.header[i+1])
				}
				w.WriteHeader(http.StatusTooManyRequests)
				return true
			})
			client := newClient(t, registry.Config{Secrets: theirs, Keychain: keychain{s.host(): "own"}})
			var last error
			for range 8 {
				last = client.Exists(t.Context(), tt.access, refs[tt.repository])
				if failed := failure(t, last); failed.ConcernsAll() {
					t.Errorf("%v is said to concern all who ask", last)
				}
			}
			if !strings.Contains(last.Error(), tt.want) {
				t.Errorf("the stranger reads %q, want %q", last, tt.want)
			}
			if err := client.Exists(t.Context(), registry.Access{}, refs["team/web"]); err != nil {
				t.Errorf("another repository, after a stranger was throttled: %v", err)
			}
		})
	}
}

func TestAThrottledTokenIsTheAskersAffair(t *testing.T) {
	s := newServer(t)
	ours, theirs := s.push(t, "team/web", "v1"), s.push(t, "stranger/x", "v1")
	tokens := http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if strings.Contains(request.URL.Query().Get("scope"), "stranger/x") {
			w.Header().Set("Retry-After", "600")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		_, _ = w.Write([]byte(`{"token": "good"}`))
	})
	s.demandToken("http://"+s.host()+"/token", "good", tokens)
	client := newClient(t, registry.Config{})
	for range 5 {
		failed := failure(t, client.Exists(t.Context(), registry.Access{}, theirs))
		if failed.ConcernsAll() || !strings.Contains(failed.Cause, "asks to be left alone for 10m0s") {
			t.Errorf("error = %+v", failed)
		}
	}
	if err := client.Exists(t.Context(), registry.Access{}, ours); err != nil {
		t.Errorf("another repository: %v", err)
	}
}

func TestWhomFailuresConcern(t *testing.T) {
	for status, want := range map[int]bool{401: false, 403: false, 418: false, 429: false, 500: true, 503: true} {
		s := newServer(t)
		ref := s.push(t, "team/web", "v1")
		s.status("/manifests/", status)
		failed := failure(t, newClient(t, registry.Config{}).Exists(t.Context(), registry.Access{}, ref))
		if failed.ConcernsAll() || failed.ConcernsRepository() != want {
			t.Errorf("%+v concerns all: %t, the repository: %t, want %t", failed, failed.ConcernsAll(), !want, want)
		}
		s.status("/v2/", status)
		failed = failure(t, newClient(t, registry.Config{}).Exists(t.Context(), registry.Access{}, ref))
		if failed.ConcernsAll() != want {
			t.Errorf("a ping, %+v concerns all: %t, want %t", failed, !want, want)
		}
	}
	s := newServer(t)
	ref := s.push(t, "team/web", "v1")
	client := newClient(t, registry.Config{})
	if err := client.Exists(t.Context(), registry.Access{}, ref); err != nil {
		t.Fatal(err)
	}
	s.Close()
	for name, client := range map[string]*registry.Client{"new": newClient(t, registry.Config{}), "warm": client} {
		if failed := failure(t, client.Exists(t.Context(), registry.Access{}, ref)); !failed.ConcernsAll() || !failed.ConcernsRepository() {
			t.Errorf("%s: %v does not concern all", name, failed)
		}
	}
}
