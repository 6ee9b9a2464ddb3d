package registry_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

func TestOnlySoManyRequestsAreInFlight(t *testing.T) {
	s := newServer(t)
	ref := s.push(t, "team/web", "v1")
	var mu sync.Mutex
	now, most := 0, 0
	enough := make(chan struct{})
	s.answer(func(_ http.ResponseWriter, request *http.Request) bool {
		if !strings.Contains(request.URL.Path, "/manifests/") {
			return false
		}
		mu.Lock()
		now++
		most = max(most, now)
		if now == 4 {
			close(enough)
		}
		mu.Unlock()
		<-enough
		mu.Lock()
		now--
		mu.Unlock()
		return false
	})
	client := newClient(t, registry.Config{Concurrency: 8})
	var group sync.WaitGroup
	for range 40 {
		group.Go(func() {
			if err := client.Exists(t.Context(), registry.Access{}, ref); err != nil {
				t.Errorf("Exists = %v", err)
			}
		})
	}
	group.Wait()
	if most != 4 {
		t.Errorf("%d requests to one repository were in flight, want half of the registry's 8", most)
	}
	pings := 0
	for _, request := range s.requests() {
		if request == "GET /v2/" {
			pings++
		}
	}
	if pings != 1 {
		t.Errorf("40 askers pinged %d times, want once", pings)
	}
}

func TestSizesAreBounded(t *testing.T) {
	s := newServer(t)
	ref := s.push(t, "team/web", "v1")
	const declared = 1 << 30
	tests := map[string]struct {
		header string
		ask    func(*registry.Client) error
	}{
		"a manifest that says so": {header: fmt.Sprint(declared), ask: func(c *registry.Client) error {
			_, err := c.Manifest(t.Context(), registry.Access{}, ref)
			return err
		}},
		"a manifest that does not say so": {ask: func(c *registry.Client) error {
			_, err := c.Manifest(t.Context(), registry.Access{}, ref)
			return err
		}},
		"a blob larger than its descriptor says": {ask: func(c *registry.Client) error {
			_, err := c.Blob(t.Context(), registry.Access{}, ref, someDigest, 10)
			return err
		}},
		"a blob of unknown size": {ask: func(c *registry.Client) error {
			_, err := c.Blob(t.Context(), registry.Access{}, ref, someDigest, -1)
			return err
		}},
		"a blob whose descriptor says so": {ask: func(c *registry.Client) error {
			_, err := c.Blob(t.Context(), registry.Access{}, ref, someDigest, declared)
			return err
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var sent int64
			finished := make(chan struct{}, 1)
			s.answer(func(w http.ResponseWriter, request *http.Request) bool {
				if request.URL.Path == "/v2/" {
					return false
				}
				defer func() { finished <- struct{}{} }()
				if tt.header != "" {
					w.Header().Set("Content-Length", tt.header)
				}
				chunk := make([]byte, 1<<20)
				for sent < declared {
					n, err := w.Write(chunk)
					sent += int64(n)
					if err != nil {
						return true
					}
				}
				return true
			})
			client := newClient(t, registry.Config{MaxBlob: 1 << 20})
			err := tt.ask(client)
			failure(t, err)
			if !errors.Is(err, registry.ErrTooLarge) {
				t.Errorf("error = %v, want ErrTooLarge", err)
			}
			if name == "a blob whose descriptor says so" {
				return
			}
			<-finished
			if sent > 64<<20 {
				t.Errorf("%d bytes were sent before the client hung up", sent)
			}
		})
	}
}
