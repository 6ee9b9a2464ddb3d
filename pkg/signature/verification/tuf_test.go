package verification_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
	testclock "k8s.io/utils/clock/testing"

	"github.com/runeframeos/kubectl-rune/pkg/signature/verification"
)

// repository is a TUF repository with a trust root, as the public Sigstore has one.
type repository struct {
	server *httptest.Server
	root   []byte

	mu    sync.Mutex
	files map[string][]byte
	asked int
	down  bool
}

func newRepository(t *testing.T, trustRoot string) *repository {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	signer, err := signature.LoadSigner(private, crypto.Hash(0))
	must(t, err)
	key, err := metadata.KeyFromPublicKey(public)
	must(t, err)
	expires := time.Now().Add(24 * time.Hour)

	targets := metadata.Targets(expires)
	target, err := metadata.TargetFile().FromBytes("trusted_root.json", []byte(trustRoot), "sha256")
	must(t, err)
	targets.Signed.Targets["trusted_root.json"] = target
	snapshot, timestamp, root := metadata.Snapshot(expires), metadata.Timestamp(expires), metadata.Root(expires)
	for _, role := range []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP} {
		must(t, root.Signed.AddKey(key, role))
	}
	r := &repository{files: map[string][]byte{}}
	for _, sign := range []func(signature.Signer) error{
		func(s signature.Signer) error { _, err := targets.Sign(s); return err },
		func(s signature.Signer) error { _, err := snapshot.Sign(s); return err },
		func(s signature.Signer) error { _, err := timestamp.Sign(s); return err },
		func(s signature.Signer) error { _, err := root.Sign(s); return err },
	} {
		must(t, sign(signer))
	}
	r.root = encode(t, root.ToBytes)
	r.files["/1.targets.json"] = encode(t, targets.ToBytes)
	r.files["/1.snapshot.json"] = encode(t, snapshot.ToBytes)
	r.files["/timestamp.json"] = encode(t, timestamp.ToBytes)
	r.files["/targets/"+target.Hashes["sha256"].String()+".trusted_root.json"] = []byte(trustRoot)
	r.server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.server.Close)
	return r
}

func encode(t *testing.T, to func(bool) ([]byte, error)) []byte {
	t.Helper()
	raw, err := to(false)
	must(t, err)
	return raw
}

func (r *repository) serve(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	content, found := r.files[request.URL.Path]
	switch {
	case r.down:
		w.WriteHeader(http.StatusServiceUnavailable)
	case !found:
		w.WriteHeader(http.StatusNotFound)
	default:
		_, _ = w.Write(content)
	}
}

// fail makes the repository answer nothing but errors.
func (r *repository) fail() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = true
}

func (r *repository) requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

func TestThePublicTrustRootComesByTUF(t *testing.T) {
	sigstore := newInstance(t)
	repository := newRepository(t, sigstore.trustRoot(t, false))
	clock := testclock.NewFakeClock(time.Now())
	v := verifier(t, func(c *verification.Config) {
		c.PublicSigstore, c.Clock = verification.PublicSigstore{Mirror: repository.server.URL, Root: repository.root}, clock
	})
	a := keyless(t, sigstore, trustedIdentity())
	a.TrustRoot = nil
	requirement := compile(t, policy(a))
	s := newServer(t)
	ref := s.push(t)
	refer(t, ref, sigstore.certify(t, ci(), time.Now().Add(-time.Minute)).bundle(t, statement(t, ref, signType, nil), witness{log: true}), signType)

	authorities, err := v.Prepare(t.Context(), requirement)
	must(t, err)
	got, err := v.Collect(t.Context(), zeroAccess(), ref, requirement, authorities)
	must(t, err)
	if diff := cmp.Diff([]string{"ci"}, signers(got)); diff != "" {
		t.Fatalf("signers (-want +got):\n%s\nrejected: %s", diff, reasons(got))
	}
	asked := repository.requests()
	clock.Step(time.Hour)
	if _, err := v.Prepare(t.Context(), requirement); err != nil || repository.requests() != asked {
		t.Errorf("within a day it was asked %d times more (%v)", repository.requests()-asked, err)
	}
	repository.fail()
	clock.Step(48 * time.Hour)
	if again, err := v.Prepare(t.Context(), requirement); err != nil || again != authorities {
		t.Errorf("an outage of two days took the trust root back: %v", err)
	}
	clock.Step(8 * 24 * time.Hour)
	if _, err := v.Prepare(t.Context(), requirement); err == nil {
		t.Error("a trust root that nobody renewed for over a week still counts")
	}
}

func TestAPublicTrustRootThatCannotBeHad(t *testing.T) {
	sigstore := newInstance(t)
	honest, evil := newRepository(t, sigstore.trustRoot(t, false)), newRepository(t, sigstore.trustRoot(t, false))
	down := newRepository(t, "{}")
	down.fail()
	tests := map[string]struct {
		from verification.PublicSigstore
		want string
	}{
		"it fails":                    {from: verification.PublicSigstore{Mirror: down.server.URL, Root: down.root}, want: "503"},
		"it is signed by another key": {from: verification.PublicSigstore{Mirror: evil.server.URL, Root: honest.root}, want: "not enough signatures"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := keyless(t, sigstore, trustedIdentity())
			a.TrustRoot = nil
			_, err := verifier(t, func(c *verification.Config) { c.PublicSigstore = tt.from }).Prepare(t.Context(), compile(t, policy(a)))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.from.Mirror) || !strings.Contains(err.Error(), "set trustRoot") {
				t.Errorf("error is %v, want one with %q, the mirror and what to do", err, tt.want)
			}
		})
	}
}
