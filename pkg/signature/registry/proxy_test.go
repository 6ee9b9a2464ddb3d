package registry_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

// An ingress controller answers 404 where the registry behind it is gone.
func TestA404OfSomethingElseIsNoAnswer(t *testing.T) {
	for name, gone := range map[string]bool{"the registry is gone": true, "the registry is there": false} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			ref := s.push(t, "team/web", "v1")
			client := newClient(t, registry.Config{})
			if err := client.Exists(t.Context(), registry.Access{}, ref); err != nil {
				t.Fatal(err)
			}
			s.answer(func(w http.ResponseWriter, request *http.Request) bool {
				if !gone && request.URL.Path == "/v2/" {
					return false
				}
				http.Error(w, "404 page not found", http.StatusNotFound)
				return true
			})
			asks := map[string]func() error{
				"Exists":   func() error { return client.Exists(t.Context(), registry.Access{}, ref) },
				"Manifest": func() error { _, err := client.Manifest(t.Context(), registry.Access{}, ref); return err },
				"Blob":     func() error { _, err := client.Blob(t.Context(), registry.Access{}, ref, someDigest, 1); return err },
			}
			for name, ask := range asks {
				err := ask()
				if gone {
					if failed := failure(t, err); !strings.Contains(failed.Cause, "something else answers for it") {
						t.Errorf("%s: %v", name, err)
					}
				} else if !errors.Is(err, image.ErrNotExist) {
					t.Errorf("%s: %v, want image.ErrNotExist", name, err)
				}
			}
			found, err := client.Referrers(t.Context(), registry.Access{}, ref, everything, 10)
			if gone {
				failure(t, err)
			} else if err != nil || !found.Fallback {
				t.Errorf("Referrers = %+v, %v", found, err)
			}
			// It did not learn a falsehood.
			s.answer(nil)
			s.requests()
			if _, err := client.Referrers(t.Context(), registry.Access{}, ref, everything, 10); err != nil {
				t.Fatal(err)
			}
			if asked := strings.Contains(fmt.Sprint(s.requests()), "/referrers/"); asked != gone {
				t.Errorf("the referrers API was asked: %t, want %t", asked, gone)
			}
		})
	}
}

func TestAPageOfAProxyIsNoManifest(t *testing.T) {
	s := newServer(t)
	s.answer(func(w http.ResponseWriter, request *http.Request) bool {
		_, _ = io.WriteString(w, "<html>Please sign in</html>")
		return true
	})
	client := newClient(t, registry.Config{})
	tag := s.reference(t, "team/web:v1")
	if _, err := client.Manifest(t.Context(), registry.Access{}, tag); err == nil || !strings.Contains(err.Error(), "what is no manifest") {
		t.Errorf("Manifest = %v", err)
	}
	if digest, err := client.Head(t.Context(), registry.Access{}, tag); err == nil {
		t.Errorf("Head = %q", digest)
	}
	failure(t, func() error {
		_, err := client.Referrers(t.Context(), registry.Access{}, s.reference(t, "team/web@"+someDigest), everything, 10)
		return err
	}())
}
