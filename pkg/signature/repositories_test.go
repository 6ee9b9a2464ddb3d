package signature

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-containerregistry/pkg/authn"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

// site is a registry behind HTTP in which every digest exists and is signed, and each tag names the digest of latest.
// What begins with the path broken fails.
type site struct {
	*httptest.Server
	latest atomic.Int64
	broken atomic.Pointer[string]
	fault  http.HandlerFunc
	client *registry.Client
}

func newSite(t *testing.T, fault http.HandlerFunc) *site {
	t.Helper()
	s := &site{fault: fault}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if broken := s.broken.Load(); broken != nil && strings.HasPrefix(request.URL.Path, *broken) {
			s.fault(w, request)
			return
		}
		if !strings.Contains(request.URL.Path, "sha256:") {
			w.Header().Set("Docker-Content-Digest", digestOf(int(s.latest.Load())))
		}
	}))
	t.Cleanup(s.Close)
	client, err := registry.New(registry.Config{Keychain: authn.NewMultiKeychain(), RequestTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	s.client = client
	return s
}

func (s *site) verifier(t *testing.T) *Verifier {
	t.Helper()
	config := Config{Log: logr.Discard(), Patience: 100 * time.Millisecond}
	config.complete()
	book := newBook(config)
	metrics, err := newMetrics(nil, book, config.Log)
	if err != nil {
		t.Fatal(err)
	}
	return assemble(config, book, metrics, s, heads{s.client})
}

// prepare implements collector.
func (s *site) prepare(context.Context, *proof.Requirement) (prepared, error) {
	return siteKeys{s}, nil
}

type siteKeys struct{ site *site }

func (siteKeys) Fingerprint() string { return "f1" }

func (siteKeys) Unread() error { return nil }

func (k siteKeys) collect(ctx context.Context, _ image.Access, ref image.Reference) (proof.Evidence, error) {
	if err := k.site.client.Exists(ctx, registry.Access{}, ref); err != nil {
		return proof.Evidence{}, err
	}
	by := proof.Signature{Authority: "release", Signer: "sha256:key", Format: v1alpha1.FormatTag}
	return proof.Evidence{Digest: ref.Digest, Signatures: []proof.Signature{by}}, nil
}

func siteFaults() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"fails": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"hangs": func(_ http.ResponseWriter, request *http.Request) { <-request.Context().Done() },
	}
}

func TestABadRepositoryKeepsNoNewImageOfOthersFromBeingVerified(t *testing.T) {
	for name, fault := range siteFaults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, fault)
			v, r := s.verifier(t), requirement(t, 0)
			broken := "/v2/bad/"
			s.broken.Store(&broken)
			bad, good := s.Listener.Addr().String()+"/bad/web", s.Listener.Addr().String()+"/good/web"
			tag, err := image.Parse(good + ":v1")
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithTimeout(t.Context(), 3*time.Second)
			defer stop()
			for n := 1; ctx.Err() == nil; n++ {
				// New images of the bad repository come in all the time.
				if n%20 == 1 {
					go func() { _, _ = v.Verify(ctx, question(r, bad, digestOf(n))) }()
				}
				began := time.Now()
				expect(t, answer(v.Verify(t.Context(), question(r, good, digestOf(n)))), "verified")
				s.latest.Store(int64(n))
				got, err := v.Resolve(t.Context(), image.Access{}, tag)
				if err != nil || got != (image.Resolution{Digest: digestOf(n)}) {
					t.Errorf("the tag names %+v, %v", got, err)
				}
				if took := time.Since(began); took > time.Second {
					t.Errorf("it took %s", took)
				}
			}
		})
	}
}

func TestAWholeRegistryThatFailsIsToldAtOnceAndRecoversWithinSeconds(t *testing.T) {
	for name, fault := range siteFaults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, fault)
			v, r := s.verifier(t), requirement(t, 0)
			web := s.Listener.Addr().String() + "/team/web"
			everything := "/"
			s.broken.Store(&everything)
			n := 0
			ask := func() (got string, took time.Duration) {
				n++
				began := time.Now()
				got = answer(v.Verify(t.Context(), question(r, fmt.Sprintf("%s%d", web, n), digestOf(n))))
				return got, time.Since(began)
			}
			until(t, 10*time.Second, "new images are refused at once", func() bool {
				got, took := ask()
				if !strings.HasPrefix(got, "unknown: registry ") {
					t.Fatalf("answered %q", got)
				}
				return took < 50*time.Millisecond
			})
			s.broken.Store(nil)
			until(t, 8*time.Second, "new images are verified", func() bool {
				got, _ := ask()
				return got == "verified"
			})
		})
	}
}

// until waits for a condition that somebody else brings about.
func until(t *testing.T, bound time.Duration, what string, condition func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, bound, true, func(context.Context) (bool, error) {
		return condition(), nil
	})
	if err != nil {
		t.Fatalf("waiting until %s: %v", what, err)
	}
}
