package registry_test

import (
	"errors"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

func TestACorrectedPullSecretCountsAtOnce(t *testing.T) {
	demands := map[string]func(s *server){
		"a password": func(s *server) { s.demandBasic("new") },
		"a token": func(s *server) {
			s.demandToken(s.URL+"/token", "one", &tokenServer{passwords: map[string]string{"new": "one"}})
		},
	}
	// What is kept before the correction.
	before := map[string]string{"a wrong one": "old", "none for this registry": ""}
	for demanded, demand := range demands {
		for name, password := range before {
			t.Run(demanded+", before "+name, func(t *testing.T) {
				s := newServer(t)
				ref := s.push(t, "team/web", "v1")
				demand(s)
				clock := clocktesting.NewFakeClock(time.Now())
				secrets := &cluster{}
				where := s.host()
				if password == "" {
					where = "registry.example.com"
				}
				secrets.set("web", nil, pullSecret("pull", where, password))
				client := newClient(t, registry.Config{Secrets: secrets, Clock: clock})
				access := registry.Access{Namespace: "web", PullSecrets: []string{"pull"}}
				for range 10 {
					failure(t, client.Exists(t.Context(), access, ref))
				}
				if secrets.reads != 1 {
					t.Errorf("the secrets were read %d times within seconds, want once", secrets.reads)
				}
				secrets.set("web", nil, pullSecret("pull", s.host(), "new"))
				clock.Step(5 * time.Second)
				if err := client.Exists(t.Context(), access, ref); err != nil {
					t.Errorf("with the corrected secret: %v", err)
				}
				if secrets.reads != 2 {
					t.Errorf("the secrets were read %d times, want twice", secrets.reads)
				}
			})
		}
	}
}

func TestARefusalIsOneOnlyWhereCredentialsCouldBeRead(t *testing.T) {
	s := newServer(t)
	ref := s.push(t, "team/web", "v1")
	s.demandBasic("right")
	for name, tt := range map[string]struct {
		err  error
		want bool
	}{
		"read":   {want: true},
		"unread": {err: errors.New("timeout")},
	} {
		secrets := &cluster{}
		secrets.set("web", tt.err, pullSecret("pull", s.host(), "wrong"))
		err := newClient(t, registry.Config{Secrets: secrets}).Exists(t.Context(), registry.Access{Namespace: "web"}, ref)
		if failed := failure(t, err); failed.Refuses() != tt.want {
			t.Errorf("%s: %v is an answer: %t, want %t", name, err, failed.Refuses(), tt.want)
		}
	}
}
