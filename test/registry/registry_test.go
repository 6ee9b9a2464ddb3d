package registry_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/test/registry"
)

func start(t *testing.T, options registry.Options) *registry.Registry {
	t.Helper()
	r, err := registry.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func push(t *testing.T, r *registry.Registry, tag string) image.Reference {
	t.Helper()
	ref, err := r.Push("shop/web", tag)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func newKey(t *testing.T) *registry.Key {
	t.Helper()
	key, err := registry.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// answer of a registry, whose body was read.
type answer struct {
	status int
	header http.Header
}

// get asks for a path within a time.
func get(t *testing.T, r *registry.Registry, method, path string, patience time.Duration) (answer, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+r.Host()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	return answer{status: response.StatusCode, header: response.Header}, nil
}

func TestARegistryFailsAsItIsToldAndHeals(t *testing.T) {
	r := start(t, registry.Options{})
	host := r.Host()
	path := "/v2/shop/web/manifests/" + push(t, r, "v1").Tag
	tests := map[registry.Fault]struct {
		patience   time.Duration
		status     int
		retryAfter string
		cause      error
	}{
		registry.Healthy:     {patience: 10 * time.Second, status: http.StatusOK},
		registry.Stopped:     {patience: 10 * time.Second, cause: syscall.ECONNREFUSED},
		registry.Hanging:     {patience: 50 * time.Millisecond, cause: context.DeadlineExceeded},
		registry.Throttled:   {patience: 10 * time.Second, status: http.StatusTooManyRequests, retryAfter: "1"},
		registry.Unavailable: {patience: 10 * time.Second, status: http.StatusServiceUnavailable},
	}
	for fault, tt := range tests {
		t.Run(string(fault), func(t *testing.T) {
			if err := r.Break(t.Context(), fault); err != nil {
				t.Fatal(err)
			}
			response, err := get(t, r, http.MethodGet, path, tt.patience)
			if !errors.Is(err, tt.cause) {
				t.Fatalf("got error %v, want %v", err, tt.cause)
			}
			if err == nil && (response.status != tt.status || response.header.Get("Retry-After") != tt.retryAfter) {
				t.Errorf("got status %d, Retry-After %q", response.status, response.header.Get("Retry-After"))
			}
			if err := r.Break(t.Context(), registry.Healthy); err != nil {
				t.Fatal(err)
			}
			if response, err := get(t, r, http.MethodGet, path, 10*time.Second); err != nil || response.status != http.StatusOK {
				t.Errorf("healed, it answers %v, %v", response, err)
			}
			if r.Host() != host {
				t.Errorf("it moved from %s to %s", host, r.Host())
			}
		})
	}
	if err := r.Break(t.Context(), "moody"); err == nil {
		t.Error("a fault that there is not was taken")
	}
	if len(registry.Faults()) != len(tests)-1 {
		t.Errorf("not every fault is tried: %v", registry.Faults())
	}
}

func TestAnswersCanComeLaterOrFromTheTest(t *testing.T) {
	r := start(t, registry.Options{})
	ref := push(t, r, "v1")
	path := "/v2/shop/web/manifests/" + ref.Digest
	r.Delay(30 * time.Millisecond)
	began := time.Now()
	if _, err := get(t, r, http.MethodGet, path, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 30*time.Millisecond {
		t.Errorf("answered after %s", took)
	}
	r.Replace(ref.Digest, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	if response, err := get(t, r, http.MethodGet, path, 10*time.Second); err != nil || response.status != http.StatusTeapot {
		t.Errorf("got %v, %v", response, err)
	}
	r.Replace(ref.Digest, nil)
	if response, err := get(t, r, http.MethodGet, path, 10*time.Second); err != nil || response.status != http.StatusOK {
		t.Errorf("got %v, %v", response, err)
	}
}

func TestRequestsAreCountedByKindAndNotWhatTestsPutIn(t *testing.T) {
	r := start(t, registry.Options{Referrers: true})
	ref := push(t, r, "v1")
	if err := r.Sign(ref, newKey(t)); err != nil {
		t.Fatal(err)
	}
	if got := r.Requests(); len(got) != 0 || got.String() != "none" {
		t.Errorf("before the first request: %s", got)
	}
	for path, method := range map[string]string{
		"/v2/": http.MethodGet, "/v2/shop/web/manifests/v1": http.MethodHead, "/v2/shop/web/manifests/" + ref.Digest: http.MethodGet,
		"/v2/shop/web/blobs/sha256:" + strings.Repeat("0", 64): http.MethodGet, "/v2/shop/web/referrers/" + ref.Digest: http.MethodGet,
		"/v2/shop/web/tags/list": http.MethodGet,
	} {
		if _, err := get(t, r, method, path, 10*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	want := registry.Counts{
		registry.Ping: 1, registry.Head: 1, registry.Manifest: 1, registry.Blob: 1, registry.Referrers: 1, registry.Other: 1,
	}
	if diff := cmp.Diff(want, r.Requests()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if got := r.Requests().Total(); got != 5 {
		t.Errorf("in all %d without pings, want 5", got)
	}
	if r.Bytes() < 100 {
		t.Errorf("only %d bytes were sent", r.Bytes())
	}
	r.Forget()
	if r.Requests().Total() != 0 || r.Bytes() != 0 {
		t.Errorf("not forgotten: %s, %d bytes", r.Requests(), r.Bytes())
	}
}

func TestATagMoves(t *testing.T) {
	r := start(t, registry.Options{})
	first, second := push(t, r, "v1"), push(t, r, "v2")
	digest := func() string {
		response, err := get(t, r, http.MethodHead, "/v2/shop/web/manifests/v1", 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		return response.header.Get("Docker-Content-Digest")
	}
	if got := digest(); got != first.Digest || got == second.Digest {
		t.Errorf("v1 is %s, want %s", got, first.Digest)
	}
	if err := r.Move(second, "v1"); err != nil {
		t.Fatal(err)
	}
	if got := digest(); got != second.Digest {
		t.Errorf("moved, v1 is %s, want %s", got, second.Digest)
	}
}
