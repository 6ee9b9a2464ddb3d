package signature_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	testclock "k8s.io/utils/clock/testing"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/signature"
)

func authorities(list ...v1alpha1.Authority) []v1alpha1.Authority { return list }

func TestVerifyTellsSignedFromUnsigned(t *testing.T) {
	r := newRegistry(t)
	trusted, foreign := trustedKey(t), foreignKey(t)
	signed := r.push(t, "team/signed", "v1")
	trusted.sign(t, signed)
	wrongKey := r.push(t, "team/wrong", "v1")
	foreign.sign(t, wrongKey)
	victim := r.push(t, "team/signed", "v2")
	transplant(t, signed, victim)
	both := r.push(t, "team/both", "v1")
	foreign.sign(t, both)
	trusted.sign(t, both)
	junk := r.push(t, "team/junk", "v1")
	attach(t, junk, []byte(`no JSON at all`), "bm8gc2lnbmF0dXJl")
	attach(t, junk, []byte(`{}`), "%%% no base64")
	trusted.sign(t, junk)
	oversized := r.push(t, "team/oversized", "v1")
	attach(t, oversized, []byte(strings.Repeat(" ", 1<<17)), "bm8gc2lnbmF0dXJl")
	index, child := r.pushIndex(t, "team/index", "v1")
	trusted.sign(t, index)

	tests := map[string]struct {
		ref  image.Reference
		want image.Proof
	}{
		"an image that a trusted key signed is verified": {
			ref: signed, want: image.Proof{Verified: true, Authority: "release"}},
		"an image without signatures is not": {
			ref: r.push(t, "team/unsigned", "v1"), want: image.Proof{Reason: "it has no signatures"}},
		"a signature by another key does not count": {
			ref: wrongKey, want: image.Proof{Reason: "none of its 1 signatures is by a trusted key"}},
		"a signature that was copied from another image does not count": {
			ref: victim, want: image.Proof{Reason: "none of its 1 signatures is by a trusted key; a signature of that key is for another image"}},
		"one good signature beside one by another key is enough": {
			ref: both, want: image.Proof{Verified: true, Authority: "release"}},
		"junk does not hide a valid signature": {
			ref: junk, want: image.Proof{Verified: true, Authority: "release"}},
		"a huge payload is not read": {
			ref: oversized, want: image.Proof{Reason: "none of its 1 signatures is by a trusted key"}},
		"the signature of an index counts for the index": {
			ref: index, want: image.Proof{Verified: true, Authority: "release"}},
		"the signature of an index does not cover its children": {
			ref: child, want: image.Proof{Reason: "it has no signatures"}},
	}
	verifier := signature.New(signature.Config{})
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := verifier.VerifyKeys(t.Context(), tt.ref, authorities(trusted.authority("release")))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("proof (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVerifyNamesTheAuthorityThatSigned(t *testing.T) {
	r := newRegistry(t)
	first, second := trustedKey(t), foreignKey(t)
	ref := r.push(t, "team/web", "v1")
	second.sign(t, ref)
	got, err := signature.New(signature.Config{}).VerifyKeys(t.Context(), ref, authorities(first.authority("ci"), second.authority("people")))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(image.Proof{Verified: true, Authority: "people"}, got); diff != "" {
		t.Errorf("proof (-want +got):\n%s", diff)
	}
}

func TestVerifyRefusesPoliciesThatTrustNobody(t *testing.T) {
	ref, err := image.Parse("127.0.0.1:1/web@sha256:" + strings.Repeat("0", 64))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		ref         image.Reference
		authorities []v1alpha1.Authority
		want        string
	}{
		"without authorities": {ref: ref, want: "no authority is trusted"},
		"with a key that is none": {
			ref:         ref,
			authorities: authorities(v1alpha1.Authority{Name: "ci", Key: &v1alpha1.KeyAuthority{Data: "-----BEGIN PUBLIC KEY-----"}}),
			want:        `reading the key of authority "ci"`},
		"of a tag": {ref: image.Reference{Registry: "127.0.0.1:1", Repository: "web", Tag: "v1"}, want: "names no digest"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			proof, err := signature.New(signature.Config{}).VerifyKeys(t.Context(), tt.ref, tt.authorities)
			if err == nil || !strings.Contains(err.Error(), tt.want) || proof.Verified {
				t.Errorf("Verify = %+v, %v; want an error with %q", proof, err, tt.want)
			}
		})
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// TestOutagesAreNotAnswers is what keeps an outage from being read as “unsigned”.
func TestOutagesAreNotAnswers(t *testing.T) {
	tests := map[string]struct {
		fault func(t *testing.T, r *testRegistry)
		want  string
	}{
		"connection refused": {fault: func(_ *testing.T, r *testRegistry) { r.server.Close() }, want: "cannot be reached: dial tcp"},
		"503":                {fault: func(_ *testing.T, r *testRegistry) { r.fail(status(503)) }, want: "fails (503 Service Unavailable)"},
		"429":                {fault: func(_ *testing.T, r *testRegistry) { r.fail(status(429)) }, want: "throttles requests (429 Too Many Requests)"},
		"401":                {fault: func(_ *testing.T, r *testRegistry) { r.fail(unauthorized) }, want: "refuses access (401 Unauthorized)"},
		"403":                {fault: func(_ *testing.T, r *testRegistry) { r.fail(status(403)) }, want: "refuses access (403 Forbidden)"},
		"no answer":          {fault: hang, want: "did not answer in time"},
	}
	trusted := trustedKey(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRegistry(t)
			ref := r.push(t, "team/web", "v1")
			trusted.sign(t, ref)
			verifier := signature.New(signature.Config{Timeout: 2 * time.Second})
			tt.fault(t, r)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			started := time.Now()
			proof, err := verifier.VerifyKeys(ctx, ref, authorities(trusted.authority("release")))
			requireOutage(t, r, err, tt.want)
			if diff := cmp.Diff(image.Proof{}, proof); diff != "" {
				t.Errorf("an outage gave a proof:\n%s", diff)
			}
			_, err = verifier.Resolve(ctx, image.Access{}, image.Reference{Registry: r.host(), Repository: "team/web", Tag: "v1"})
			requireOutage(t, r, err, tt.want)
			if took := time.Since(started); took > 3*time.Second {
				t.Errorf("both questions took %s, with a context of one second", took)
			}
		})
	}
}

func unauthorized(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
	w.WriteHeader(http.StatusUnauthorized)
}

// hang answers nothing until the client gives up.
func hang(t *testing.T, r *testRegistry) {
	ended := make(chan struct{})
	t.Cleanup(func() { close(ended) })
	r.fail(func(_ http.ResponseWriter, request *http.Request) {
		select {
		case <-request.Context().Done():
		case <-ended:
		}
	})
}

func requireOutage(t *testing.T, r *testRegistry, err error, want string) {
	t.Helper()
	switch {
	case err == nil:
		t.Fatalf("an outage was taken for an answer; want an error with %q", want)
	case errors.Is(err, image.ErrNotExist):
		t.Errorf("an outage was taken for a missing image: %s", err)
	case !strings.Contains(err.Error(), want), !strings.Contains(err.Error(), r.host()):
		t.Errorf("error is %q, want %q and the registry %q", err, want, r.host())
	}
}

func TestAPayloadThatCannotBeFetchedIsAnOutage(t *testing.T) {
	r := newRegistry(t)
	trusted := trustedKey(t)
	ref := r.push(t, "team/web", "v1")
	trusted.sign(t, ref)
	r.failOn(func(request *http.Request) bool { return strings.Contains(request.URL.Path, "/blobs/") }, http.StatusServiceUnavailable)
	proof, err := signature.New(signature.Config{}).VerifyKeys(t.Context(), ref, authorities(trusted.authority("release")))
	requireOutage(t, r, err, "fails (503 Service Unavailable)")
	if proof.Verified {
		t.Error("verified without having read the signature")
	}
}

func TestAMissingImageIsToldFromAnUnsignedOne(t *testing.T) {
	r := newRegistry(t)
	trusted := trustedKey(t)
	r.push(t, "team/web", "v1")
	verifier := signature.New(signature.Config{})
	missing, err := image.Parse(r.host() + "/team/web@sha256:" + strings.Repeat("ab", 32))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = verifier.VerifyKeys(t.Context(), missing, authorities(trusted.authority("release"))); !errors.Is(err, image.ErrNotExist) {
		t.Errorf("Verify of a missing digest: %v, want ErrNotExist", err)
	}
	for _, repository := range []string{"team/web", "team/none"} {
		ref := image.Reference{Registry: r.host(), Repository: repository, Tag: "v9"}
		if _, err = verifier.Resolve(t.Context(), image.Access{}, ref); !errors.Is(err, image.ErrNotExist) {
			t.Errorf("Resolve of %s: %v, want ErrNotExist", ref, err)
		}
	}
}

func TestTagsAreResolvedEveryTime(t *testing.T) {
	r := newRegistry(t)
	verifier := signature.New(signature.Config{})
	tag := image.Reference{Registry: r.host(), Repository: "team/web", Tag: "v1"}
	for range 2 {
		want := r.push(t, "team/web", "v1").Digest
		got, err := verifier.Resolve(t.Context(), image.Access{}, tag)
		if err != nil {
			t.Fatal(err)
		}
		if got.Digest != want {
			t.Errorf("Resolve = %s, want %s, which the tag names now", got, want)
		}
	}
}

func TestAVerifiedDigestOutlivesAnOutage(t *testing.T) {
	r := newRegistry(t)
	trusted, other := trustedKey(t), foreignKey(t)
	ref := r.push(t, "team/web", "v1")
	unsigned := r.push(t, "team/unsigned", "v1")
	trusted.sign(t, ref)
	clock := testclock.NewFakePassiveClock(time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC))
	verifier := signature.New(signature.Config{Clock: clock, FreshFor: time.Hour, StaleFor: 24 * time.Hour, RetryAfter: 3 * time.Second})
	verify := func(ref image.Reference, a v1alpha1.Authority) (image.Proof, error) {
		return verifier.VerifyKeys(t.Context(), ref, authorities(a))
	}
	require := func(step string, wantVerified bool) {
		t.Helper()
		proof, err := verify(ref, trusted.authority("release"))
		if proof.Verified != wantVerified || (err == nil) != wantVerified {
			t.Errorf("%s: proof %+v, error %v; want verified %t", step, proof, err, wantVerified)
		}
	}
	require("with the registry up", true)
	asked := r.requests.Load()
	require("again", true)
	if more := r.requests.Load() - asked; more != 0 {
		t.Errorf("a fresh verdict cost %d requests", more)
	}
	if proof, err := verify(unsigned, trusted.authority("release")); err != nil || proof.Verified {
		t.Errorf("unsigned: %+v, %v", proof, err)
	}

	r.fail(status(http.StatusServiceUnavailable))
	require("down, verdict fresh", true)
	clock.SetTime(clock.Now().Add(2 * time.Hour))
	require("down, verdict stale", true)
	if proof, err := verify(ref, other.authority("release")); err == nil || proof.Verified {
		t.Errorf("a verdict by one key served another key: %+v, %v", proof, err)
	}
	if proof, err := verify(unsigned, trusted.authority("release")); err == nil || proof.Verified {
		t.Errorf("an old negative verdict outlived its seconds: %+v, %v", proof, err)
	}
	clock.SetTime(clock.Now().Add(24 * time.Hour))
	require("down, beyond the grace", false)

	r.fail(nil)
	require("up again, within the seconds of the failure", false)
	clock.SetTime(clock.Now().Add(4 * time.Second))
	require("up again", true)
}

func TestAnImageThatIsSignedLaterIsSeenWithinSeconds(t *testing.T) {
	r := newRegistry(t)
	trusted := trustedKey(t)
	ref := r.push(t, "team/web", "v1")
	clock := testclock.NewFakePassiveClock(time.Now())
	verifier := signature.New(signature.Config{Clock: clock, RetryAfter: 3 * time.Second})
	for step, want := range []bool{false, true} {
		proof, err := verifier.VerifyKeys(t.Context(), ref, authorities(trusted.authority("release")))
		if err != nil || proof.Verified != want {
			t.Errorf("step %d: %+v, %v; want verified %t", step, proof, err, want)
		}
		if step == 0 {
			trusted.sign(t, ref)
			clock.SetTime(clock.Now().Add(4 * time.Second))
		}
	}
}

func TestASignatureThatWasRemovedEndsTheVerdict(t *testing.T) {
	r := newRegistry(t)
	trusted := trustedKey(t)
	ref := r.push(t, "team/web", "v1")
	trusted.sign(t, ref)
	clock := testclock.NewFakePassiveClock(time.Now())
	verifier := signature.New(signature.Config{Clock: clock, FreshFor: time.Hour})
	if proof, err := verifier.VerifyKeys(t.Context(), ref, authorities(trusted.authority("release"))); err != nil || !proof.Verified {
		t.Fatalf("signed: %+v, %v", proof, err)
	}
	tag, err := name.NewTag(ref.Name() + ":" + strings.Replace(ref.Digest, ":", "-", 1) + ".sig")
	if err != nil {
		t.Fatal(err)
	}
	empty, err := random.Image(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, empty); err != nil {
		t.Fatal(err)
	}
	clock.SetTime(clock.Now().Add(2 * time.Hour))
	if proof, err := verifier.VerifyKeys(t.Context(), ref, authorities(trusted.authority("release"))); err != nil || proof.Verified {
		t.Errorf("after the signature is gone: %+v, %v; a definite answer must end a stale verdict", proof, err)
	}
}

func TestEqualQuestionsShareOneAnswer(t *testing.T) {
	r := newRegistry(t)
	trusted := trustedKey(t)
	ref := r.push(t, "team/web", "v1")
	trusted.sign(t, ref)
	release := make(chan struct{})
	r.fail(func(w http.ResponseWriter, request *http.Request) {
		<-release
		r.real.ServeHTTP(w, request)
	})
	verifier := signature.New(signature.Config{})
	before := r.requests.Load()
	var group sync.WaitGroup
	var started sync.WaitGroup
	for range 100 {
		started.Add(1)
		group.Go(func() {
			started.Done()
			proof, err := verifier.VerifyKeys(t.Context(), ref, authorities(trusted.authority("release")))
			if err != nil || !proof.Verified {
				t.Errorf("proof %+v, error %v", proof, err)
			}
		})
	}
	started.Wait()
	close(release)
	group.Wait()
	// The version check, the manifest and the payload; late starters find the verdict in the cache.
	if asked := r.requests.Load() - before; asked > 3 {
		t.Errorf("100 questions cost %d requests, want at most 3", asked)
	}
}

func TestClearEnvironment(t *testing.T) {
	for _, variable := range []string{"COSIGN_REPOSITORY", "SIGSTORE_ROOT_FILE", "TUF_ROOT"} {
		t.Setenv(variable, "/elsewhere")
	}
	t.Setenv("DOCKER_CONFIG", "/kept")
	if err := signature.ClearEnvironment(); err != nil {
		t.Fatal(err)
	}
	for variable, want := range map[string]bool{"COSIGN_REPOSITORY": false, "SIGSTORE_ROOT_FILE": false, "TUF_ROOT": false, "DOCKER_CONFIG": true} {
		if _, found := os.LookupEnv(variable); found != want {
			t.Errorf("variable %s is set: %t, want %t", variable, found, want)
		}
	}
}
