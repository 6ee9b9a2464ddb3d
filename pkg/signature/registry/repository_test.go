package registry_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

// faults of a part of a registry.
func faults() map[string]func(http.ResponseWriter, *http.Request) {
	return map[string]func(http.ResponseWriter, *http.Request){
		"fails":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"hangs up": func(w http.ResponseWriter, r *http.Request) { hangUp(w, r) },
		"hangs":    func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	}
}

// breakPart makes a part of the registry fail.
func (s *server) breakPart(path string, fault func(http.ResponseWriter, *http.Request)) {
	s.answer(func(w http.ResponseWriter, request *http.Request) bool {
		if !strings.HasPrefix(request.URL.Path, path) {
			return false
		}
		fault(w, request)
		return true
	})
}

func TestOneRepositoryThatFailsKeepsNobodyFromTheOthers(t *testing.T) {
	for name, fault := range faults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			bad, good := s.push(t, "team/bad", "v1"), s.push(t, "team/good", "v1")
			clock := clocktesting.NewFakeClock(time.Now())
			client := newClient(t, registry.Config{RequestTimeout: 2 * time.Second, Concurrency: 8, Clock: clock})
			if err := client.Exists(t.Context(), registry.Access{}, bad); err != nil {
				t.Fatal(err)
			}
			s.breakPart("/v2/team/bad", fault)
			ctx, stop := context.WithCancel(t.Context())
			var group sync.WaitGroup
			for range 12 { // More than the registry is asked at the same time.
				group.Go(func() {
					for ctx.Err() == nil {
						if err := client.Exists(ctx, registry.Access{}, bad); err == nil {
							t.Error("the bad repository answered")
						}
						clock.Step(100 * time.Millisecond)
					}
				})
			}
			for range 200 {
				if err := client.Exists(t.Context(), registry.Access{}, good); err != nil {
					t.Errorf("the good repository: %v", err)
				}
			}
			stop()
			group.Wait()
			s.answer(nil)
			clock.Step(5 * time.Second)
			if err := client.Exists(t.Context(), registry.Access{}, bad); err != nil {
				t.Errorf("seconds after the bad repository was mended: %v", err)
			}
		})
	}
}

func TestOneBrokenImageKeepsNobodyFromTheRestOfItsRepositoryForLong(t *testing.T) {
	s := newServer(t)
	bad, good := s.push(t, "team/web", "bad"), s.push(t, "team/web", "good")
	clock := clocktesting.NewFakeClock(time.Now())
	client := newClient(t, registry.Config{Clock: clock, RequestTimeout: 30 * time.Millisecond})
	s.breakPart("/v2/team/web/manifests/"+bad.Digest, faults()["hangs"])
	refused := 0
	for second := range 30 {
		// Whoever asks about the bad image does so again and again, but not about what has failed within seconds.
		if second%3 == 0 {
			failure(t, client.Exists(t.Context(), registry.Access{}, bad))
		}
		refused++
		if client.Exists(t.Context(), registry.Access{}, good) == nil {
			refused = 0
		}
		if refused > 1 {
			t.Fatal("a good image was refused for more than a second")
		}
		clock.Step(time.Second)
	}
}

func TestAWholeRegistryThatFailsIsFoundOutByAPing(t *testing.T) {
	for name, fault := range faults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			one, other := s.push(t, "team/one", "v1"), s.push(t, "team/other", "v1")
			client := newClient(t, registry.Config{RequestTimeout: 200 * time.Millisecond})
			if err := client.Exists(t.Context(), registry.Access{}, one); err != nil {
				t.Fatal(err)
			}
			s.breakPart("/", fault)
			failure(t, client.Exists(t.Context(), registry.Access{}, one))
			eventually(t, "the registry is left alone", func() bool {
				failed := failure(t, client.Exists(t.Context(), registry.Access{}, other))
				return failed.ConcernsAll() && strings.Contains(failed.Cause, "not asked again for 1s")
			})
			s.requests()
			eventually(t, "its pause is over", func() bool {
				failure(t, client.Exists(t.Context(), registry.Access{}, other))
				asked := s.requests()
				for _, request := range asked {
					if request != "GET /v2/" {
						t.Errorf("the registry was asked %q, want pings only", request)
					}
				}
				return len(asked) > 0
			})
			if err := client.Ping(t.Context(), s.host()); err == nil {
				t.Error("a ping of what fails was answered")
			}
			// Once a ping is answered, nobody waits for the end of the pause.
			s.answer(nil)
			failure(t, client.Exists(t.Context(), registry.Access{}, other))
			if err := client.Ping(t.Context(), s.host()); err != nil {
				t.Error(err)
			}
			if err := client.Exists(t.Context(), registry.Access{}, other); err != nil {
				t.Errorf("after a ping that was answered: %v", err)
			}
		})
	}
}

func TestAPingThatIsRefusedIsAnswered(t *testing.T) {
	for _, status := range []int{200, 401, 403, 404, 429} {
		s := newServer(t)
		s.status("/v2/", status)
		if err := newClient(t, registry.Config{}).Ping(t.Context(), s.host()); err != nil {
			t.Errorf("%d: %v", status, err)
		}
	}
}
