package registry_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

// failure asserts that nobody could tell.
func failure(t *testing.T, err error) registry.Error {
	t.Helper()
	var failed *registry.Error
	if !errors.As(err, &failed) {
		t.Fatalf("error = %v (%T), want a *registry.Error", err, err)
	}
	if errors.Is(err, image.ErrNotExist) {
		t.Fatalf("%v says that there is no image", err)
	}
	return *failed
}

func TestFailuresAreNotAnswers(t *testing.T) {
	tests := map[string]struct {
		answer func(http.ResponseWriter, *http.Request) bool
		// part of the path of what goes wrong
		path   string
		status int
		want   string
		tries  int64
		// most is more than tries where that depends on which connections were kept.
		most int64
	}{
		"unauthorized":  {status: 401, want: "refuses access (401 Unauthorized)", tries: 1},
		"forbidden":     {status: 403, want: "refuses access (403 Forbidden)", tries: 1},
		"throttled":     {status: 429, want: "throttles requests (429 Too Many Requests)", tries: 1},
		"broken":        {status: 500, want: "fails (500 Internal Server Error)", tries: 2},
		"unavailable":   {status: 503, want: "fails (503 Service Unavailable)", tries: 2},
		"a teapot":      {status: 418, want: "answered 418", tries: 1},
		"a lost ping":   {path: "/v2/", status: 404, want: "something else answers for it", tries: 1},
		"a broken ping": {path: "/v2/", status: 503, want: "fails (503 Service Unavailable)", tries: 2},
		// The transport tries a kept connection's request once more by itself.
		"a hasty hangup": {answer: hangUp, want: "cannot be reached", tries: 3, most: 4},
		"other content": {answer: func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = io.WriteString(w, `{"schemaVersion": 2}`)
			return true
		}, want: "with other content", tries: 1},
		"a loop": {answer: func(w http.ResponseWriter, request *http.Request) bool {
			http.Redirect(w, request, request.URL.Path, http.StatusTemporaryRedirect)
			return true
		}, want: "redirects more than 5 times", tries: 6},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			ref := s.push(t, "team/web", "v1")
			if tt.path == "" {
				tt.path = "/manifests/"
			}
			var tries atomic.Int64
			s.answer(func(w http.ResponseWriter, request *http.Request) bool {
				if !strings.Contains(request.URL.Path, tt.path) {
					return false
				}
				tries.Add(1)
				if tt.answer != nil {
					return tt.answer(w, request)
				}
				w.WriteHeader(tt.status)
				return true
			})
			client := newClient(t, registry.Config{Registries: []registry.Registry{{Host: s.host(), PlainHTTP: true}}})
			_, err := client.Manifest(t.Context(), registry.Access{}, ref)
			failed := failure(t, err)
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), s.host()) {
				t.Errorf("error = %q, want one that names the registry and %q", err, tt.want)
			}
			if failed.Registry != s.host() || (tt.path == "/manifests/" && failed.Status != tt.status) {
				t.Errorf("error = %+v", failed)
			}
			if got := tries.Load(); got != tt.tries && got != max(tt.tries, tt.most) {
				t.Errorf("it was tried %d times, want %d", got, tt.tries)
			}
			s.answer(nil)
			if _, err := client.Manifest(t.Context(), registry.Access{}, ref); err != nil {
				t.Errorf("after it recovered: %v", err)
			}
		})
	}
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter, _ *http.Request) bool {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = connection.Close()
	}
	return true
}

func TestATransientFailureIsTriedAgain(t *testing.T) {
	s := newServer(t)
	ref := s.push(t, "team/web", "v1")
	for name, fault := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"503":     func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(503); return true },
		"hang up": hangUp,
		"half an answer": func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"schema`)
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			var failed atomic.Bool
			s.answer(func(w http.ResponseWriter, request *http.Request) bool {
				if !strings.Contains(request.URL.Path, "/manifests/") || failed.Swap(true) {
					return false
				}
				return fault(w, request)
			})
			client := newClient(t, registry.Config{})
			if _, err := client.Manifest(t.Context(), registry.Access{}, ref); err != nil || !failed.Load() {
				t.Errorf("Manifest = %v after a failure (%t)", err, failed.Load())
			}
		})
	}
}

func TestARegistryThatHangs(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	ref := s.push(t, "team/web", "v1")
	s.answer(func(_ http.ResponseWriter, request *http.Request) bool {
		<-request.Context().Done()
		return true
	})
	tests := map[string]struct{ own, callers time.Duration }{
		"is bounded by the client's time": {own: 50 * time.Millisecond},
		"is bounded by the caller's time": {own: time.Second, callers: 50 * time.Millisecond},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, registry.Config{RequestTimeout: tt.own})
			ctx := t.Context()
			if tt.callers > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tt.callers)
				defer cancel()
			}
			began := time.Now()
			_, err := client.Manifest(ctx, registry.Access{}, ref)
			if failed := failure(t, err); failed.Cause != "did not answer in time" {
				t.Errorf("cause = %q", failed.Cause)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestARegistryThatHangsIsNotAskedForLong(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	ref := s.push(t, "team/web", "v1")
	clock := clocktesting.NewFakeClock(time.Now())
	client := newClient(t, registry.Config{RequestTimeout: 500 * time.Millisecond, Clock: clock})
	s.answer(func(_ http.ResponseWriter, request *http.Request) bool {
		<-request.Context().Done()
		return true
	})
	for range 3 {
		failure(t, client.Exists(t.Context(), registry.Access{}, ref))
	}
	s.requests()
	failed := failure(t, client.Exists(t.Context(), registry.Access{}, ref))
	if !strings.Contains(failed.Cause, "did not answer in time (after several failures it is not asked again for 1s)") {
		t.Errorf("cause = %q", failed.Cause)
	}
	if got := s.requests(); len(got) > 0 {
		t.Errorf("the registry was asked %q while it is left alone", got)
	}
	s.answer(nil)
	clock.Step(time.Second)
	if err := client.Exists(t.Context(), registry.Access{}, ref); err != nil {
		t.Errorf("after it recovered: %v", err)
	}
}

func TestABodyThatHangsIsBounded(t *testing.T) {
	s := newServer(t)
	ref := s.push(t, "team/web", "v1")
	s.answer(func(w http.ResponseWriter, request *http.Request) bool {
		if !strings.Contains(request.URL.Path, "/manifests/") {
			return false
		}
		_, _ = io.WriteString(w, "{")
		_ = http.NewResponseController(w).Flush()
		<-request.Context().Done()
		return true
	})
	client := newClient(t, registry.Config{RequestTimeout: 50 * time.Millisecond})
	_, err := client.Manifest(t.Context(), registry.Access{}, ref)
	if failed := failure(t, err); failed.Cause != "did not answer in time" {
		t.Errorf("cause = %q", failed.Cause)
	}
}

func TestARegistryThatIsNotThere(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	client := newClient(t, registry.Config{})
	_, err = client.Head(t.Context(), registry.Access{}, parse(t, host+"/web:v1"))
	if failed := failure(t, err); !strings.Contains(failed.Cause, "cannot be reached") || !strings.Contains(failed.Cause, "refused") {
		t.Errorf("cause = %q", failed.Cause)
	}
}

func TestRetryAfterIsWaitedForWhereItIsShort(t *testing.T) {
	for name, header := range map[string]func(time.Time) string{
		"in seconds": func(time.Time) string { return "2" },
		"as a date":  func(now time.Time) string { return now.Add(2 * time.Second).UTC().Format(http.TimeFormat) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			ref := s.push(t, "team/web", "v1")
			clock := clocktesting.NewFakeClock(time.Now().Truncate(time.Second))
			s.status("/manifests/", http.StatusTooManyRequests, "Retry-After", header(clock.Now()))
			client := newClient(t, registry.Config{Clock: clock})
			done := make(chan error, 1)
			go func() {
				_, err := client.Manifest(t.Context(), registry.Access{}, ref)
				done <- err
			}()
			eventually(t, "it waits", clock.HasWaiters)
			s.requests()
			s.answer(nil)
			clock.Step(1999 * time.Millisecond)
			if got := s.requests(); len(got) > 0 {
				t.Errorf("it asked %q before the time", got)
			}
			clock.Step(time.Millisecond)
			if err := <-done; err != nil {
				t.Errorf("after the wait: %v", err)
			}
		})
	}
}

func TestRetryAfterLeavesTheRegistryAlone(t *testing.T) {
	s := newServer(t)
	ref := s.push(t, "team/web", "v1")
	clock := clocktesting.NewFakeClock(time.Now())
	s.status("/manifests/", http.StatusServiceUnavailable, "Retry-After", "30")
	client := newClient(t, registry.Config{Clock: clock})
	_, err := client.Manifest(t.Context(), registry.Access{}, ref)
	if failed := failure(t, err); failed.RetryAfter != 30*time.Second || !strings.Contains(failed.Cause, "asks to be left alone for 30s") {
		t.Fatalf("error = %+v", failed)
	}
	s.answer(nil)
	s.requests()
	clock.Step(27 * time.Second)
	_, err = client.Manifest(t.Context(), registry.Access{}, ref)
	if failed := failure(t, err); failed.RetryAfter != 3*time.Second {
		t.Errorf("error = %+v", failed)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	clock.Step(1500 * time.Millisecond)
	_, err = client.Manifest(ctx, registry.Access{}, ref)
	if failed := failure(t, err); failed.RetryAfter != 1500*time.Millisecond {
		t.Errorf("a wait that the caller has no time for: %+v", failed)
	}
	if got := s.requests(); len(got) > 0 {
		t.Errorf("the registry was asked %q before its time", got)
	}
	clock.Step(1500 * time.Millisecond)
	if _, err := client.Manifest(t.Context(), registry.Access{}, ref); err != nil {
		t.Errorf("after its time: %v", err)
	}
}

func TestARegistryThatFailsIsNotAsked(t *testing.T) {
	s := newServer(t)
	ref := s.push(t, "team/web", "v1")
	clock := clocktesting.NewFakeClock(time.Now())
	client := newClient(t, registry.Config{Clock: clock, Registries: []registry.Registry{{Host: s.host(), PlainHTTP: true}}})
	ask := func() error { return client.Exists(t.Context(), registry.Access{}, ref) }
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	s.status("/manifests/", http.StatusTooManyRequests)
	for range 3 {
		failure(t, ask())
	}
	s.requests()
	failed := failure(t, ask())
	if !strings.Contains(failed.Cause, "throttles requests (429 Too Many Requests)") || !strings.Contains(failed.Cause, "not asked again for 1s") || failed.RetryAfter != time.Second {
		t.Errorf("error = %+v", failed)
	}
	if got := s.requests(); len(got) > 0 {
		t.Errorf("the registry was asked %q while it is left alone", got)
	}
	clock.Step(time.Second)
	failure(t, ask())
	if got := s.requests(); len(got) != 1 {
		t.Errorf("the registry was asked %q, want one probe", got)
	}
	s.answer(nil)
	if failed := failure(t, ask()); failed.RetryAfter != 2*time.Second {
		t.Errorf("after a probe that failed: %+v", failed)
	}
	clock.Step(2 * time.Second)
	for range 3 {
		if err := ask(); err != nil {
			t.Errorf("after it recovered: %v", err)
		}
	}
}
