package verification_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// TestOutagesAreNotAnswers is what keeps an outage from being read as “unsigned”.
func TestOutagesAreNotAnswers(t *testing.T) {
	trusted := newKey(t)
	signTag := func(t testing.TB, ref image.Reference) { trusted.sign(t, ref) }
	nothing := func(testing.TB, image.Reference) {}
	tests := map[string]struct {
		attach func(t testing.TB, ref image.Reference)
		// part of the paths that fail.
		part   string
		status int
	}{
		"everything fails":                     {attach: signTag, part: "/", status: http.StatusServiceUnavailable},
		"everything is throttled":              {attach: signTag, part: "/", status: http.StatusTooManyRequests},
		"access is refused":                    {attach: signTag, part: "/", status: http.StatusForbidden},
		"the signatures' tag fails":            {attach: signTag, part: ".sig", status: http.StatusServiceUnavailable},
		"the payload fails":                    {attach: signTag, part: "/blobs/", status: http.StatusServiceUnavailable},
		"the list of referrers fails":          {attach: trusted.signBundle, part: "/referrers/", status: http.StatusServiceUnavailable},
		"the bundle fails":                     {attach: trusted.signBundle, part: "/blobs/", status: http.StatusServiceUnavailable},
		"the image itself cannot be asked for": {attach: nothing, part: "/manifests/sha256:", status: http.StatusServiceUnavailable},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := servers(t)["a registry with referrers"]
			ref := s.push(t)
			tt.attach(t, ref)
			s.status(tt.part, tt.status)
			got, err := collect(t, verifier(t), ref, policy(trusted.authority("release")))
			if err == nil {
				t.Fatalf("an outage was taken for an answer: %+v", got)
			}
			if errors.Is(err, image.ErrNotExist) {
				t.Errorf("an outage was taken for a missing image: %s", err)
			}
			if !strings.Contains(err.Error(), s.host()) {
				t.Errorf("error %q does not name the registry", err)
			}
			s.status("", 0)
			if _, err := collect(t, verifier(t), ref, policy(trusted.authority("release"))); err != nil {
				t.Errorf("the registry works again: %s", err)
			}
		})
	}
}

func TestAnOutageOfOneFormatDoesNotHideTheOther(t *testing.T) {
	trusted := newKey(t)
	s := servers(t)["a registry with referrers"]
	ref := s.push(t)
	trusted.sign(t, ref)
	s.status("/referrers/", http.StatusServiceUnavailable)
	got, err := collect(t, verifier(t), ref, policy(trusted.authority("release")))
	must(t, err)
	if diff := cmp.Diff([]string{"release"}, signers(got)); diff != "" {
		t.Errorf("signers (-want +got):\n%s", diff)
	}
}

func TestAPayloadThatIsGoneIsNoOutage(t *testing.T) {
	trusted := newKey(t)
	s := newServer(t)
	ref := s.push(t)
	trusted.sign(t, ref)
	s.status("/blobs/", http.StatusNotFound)
	requireReason(t, evidence(t, ref, policy(trusted.authority("release"))), "its content does not exist")
}

func TestAnImageThatDoesNotExistIsNotCalledUnsigned(t *testing.T) {
	ref := newServer(t).push(t).WithDigest("sha256:" + strings.Repeat("0", 64))
	_, err := collect(t, verifier(t), ref, policy(newKey(t).authority("release")))
	if !errors.Is(err, image.ErrNotExist) {
		t.Errorf("error is %v, want that the image does not exist", err)
	}
}

func TestCollectEndsWithItsContext(t *testing.T) {
	trusted := newKey(t)
	s := newServer(t)
	ref := s.push(t)
	ended := make(chan struct{})
	t.Cleanup(func() { close(ended) })
	s.mu.Lock()
	s.fault = func(_ http.ResponseWriter, request *http.Request) bool {
		select {
		case <-request.Context().Done():
		case <-ended:
		}
		return true
	}
	s.mu.Unlock()
	v, requirement := verifier(t), compile(t, policy(trusted.authority("release")))
	authorities, err := v.Prepare(t.Context(), requirement)
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := v.Collect(ctx, image.Access{}, ref, requirement, authorities); err == nil {
		t.Error("a registry that hangs was taken for an answer")
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %s with a context of 200 ms", took)
	}
}

func TestCollectWantsADigest(t *testing.T) {
	ref := image.Reference{Registry: "127.0.0.1:1", Repository: "web", Tag: "v1"}
	_, err := collect(t, verifier(t), ref, policy(newKey(t).authority("release")))
	if err == nil || !strings.Contains(err.Error(), "names no digest") {
		t.Errorf("error is %v", err)
	}
}
