package signature

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
	"github.com/runeframeos/kubectl-rune/pkg/signature/verdict"
)

const (
	registryName = "registry.example.com"
	webImage     = registryName + "/team/web"
	mirrorImage  = registryName + "/mirror/web"
	validFor     = time.Hour
	staleFor     = 24 * time.Hour
)

var (
	errDown      = &registry.Error{Registry: registryName, Cause: "cannot be reached: connection refused"}
	errForbidden = &registry.Error{Registry: registryName, Cause: "refuses access (403 Forbidden)", Status: 403}
)

func digestOf(n int) string { return fmt.Sprintf("sha256:%064x", n) }

// world is a registry with signatures that can be made to fail, and the store that outlives a process.
type world struct {
	t     *testing.T
	store *memoryStore

	mu sync.Mutex
	// signed are the digests by repository that are signed by the release key.
	signed map[string]bool
	// signedByRead are those of them that are signed by the key that can always be read.
	signedByRead map[string]bool
	// failure is what the registry answers instead of anything else.
	failure error
	// hangs tells whether the registry takes until the end of whoever asks.
	hangs bool
	// delay before an answer.
	delay time.Duration
	// panics tells whether reading an answer breaks.
	panics bool
	// tags by reference.
	tags map[string]string
	// asked counts the collections, the requests for tags and the pings.
	asked, heads, pings int
	// attested is when the scan of all images was made; zero for none.
	attested time.Time
	// unreadable is why keys cannot be read, and unread why all but one cannot, which has signed nothing.
	unreadable, unread error
	// fingerprint of the keys.
	fingerprint string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{
		t: t, store: newMemoryStore(), fingerprint: "f1",
		signed: map[string]bool{webImage + "@" + digestOf(1): true}, signedByRead: map[string]bool{}, tags: map[string]string{},
	}
}

// verifier is a new process.
func (w *world) verifier() *Verifier {
	w.t.Helper()
	config := Config{Store: w.store, Log: logr.Discard()}
	config.complete()
	book := newBook(config)
	metrics, err := newMetrics(nil, book, config.Log)
	if err != nil {
		w.t.Fatal(err)
	}
	return assemble(config, book, metrics, w, w)
}

func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (w *world) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked
}

// prepare implements collector.
func (w *world) prepare(context.Context, *proof.Requirement) (prepared, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.unreadable != nil {
		return nil, w.unreadable
	}
	if w.unread != nil {
		return worldKeys{w, w.fingerprint + " in part", w.unread}, nil
	}
	return worldKeys{w, w.fingerprint, nil}, nil
}

type worldKeys struct {
	world       *world
	fingerprint string
	unread      error
}

func (k worldKeys) Fingerprint() string { return k.fingerprint }

func (k worldKeys) Unread() error { return k.unread }

func (k worldKeys) collect(ctx context.Context, access image.Access, ref image.Reference) (proof.Evidence, error) {
	if err := k.world.behave(ctx, &k.world.asked); err != nil {
		return proof.Evidence{}, err
	}
	w := k.world
	w.mu.Lock()
	defer w.mu.Unlock()
	evidence := proof.Evidence{Digest: ref.Digest, CollectedAt: time.Now()}
	if k.unread != nil && !w.signedByRead[ref.Digest] {
		return proof.Evidence{}, k.unread
	}
	if w.signed[ref.Name()+"@"+ref.Digest] {
		by := proof.Signature{Authority: "release", Signer: "sha256:key", Format: v1alpha1.FormatTag}
		evidence.Signatures = []proof.Signature{by}
		if !w.attested.IsZero() {
			by.Time = w.attested
			evidence.Attestations = []proof.Attestation{{Signature: by, PredicateType: scanType, Predicate: []byte("{}")}}
		}
	}
	return evidence, nil
}

// behave makes the registry fail as the test wants.
func (w *world) behave(ctx context.Context, counter *int) error {
	w.mu.Lock()
	*counter++
	hangs, delay, failure, panics := w.hangs, w.delay, w.failure, w.panics
	w.mu.Unlock()
	if panics {
		panic("index out of range")
	}
	if hangs {
		<-ctx.Done()
		return &registry.Error{Registry: registryName, Cause: "did not answer in time"}
	}
	advance(delay)
	return failure
}

// Head implements tags.
func (w *world) Head(ctx context.Context, _ image.Access, ref image.Reference) (string, error) {
	if err := w.behave(ctx, &w.heads); err != nil {
		return "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if digest := w.tags[ref.String()]; digest != "" {
		return digest, nil
	}
	return "", fmt.Errorf("no such tag: %w", image.ErrNotExist)
}

// Ping implements tags.
func (w *world) Ping(ctx context.Context, _ string) error { return w.behave(ctx, &w.pings) }

const scanType = "https://cosign.sigstore.dev/attestation/vuln/v1"

// requirement asks for one signature, and for a scan of at most this age where one is given.
func requirement(t testing.TB, scanAge time.Duration) *proof.Requirement {
	t.Helper()
	compiler, err := proof.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	policy := &v1alpha1.ImagePolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "release"},
		Spec: v1alpha1.ImagePolicySpec{
			Images: []string{registryName + "/**"}, Environments: []string{"production"}, Require: v1alpha1.RequireAny,
			Authorities: []v1alpha1.Authority{{Name: "release", Key: &v1alpha1.KeyAuthority{KMS: "awskms://alias/release"}}},
			Cache: &v1alpha1.VerificationCache{
				ValidFor: &metav1.Duration{Duration: validFor}, StaleFor: &metav1.Duration{Duration: staleFor},
			},
		},
	}
	if scanAge > 0 {
		policy.Spec.Attestations = []v1alpha1.AttestationRequirement{{
			Name: "scan", PredicateType: scanType, MaxAge: &metav1.Duration{Duration: scanAge},
		}}
	}
	r, err := compiler.Compile(policy)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func question(r *proof.Requirement, repository, digest string) proof.Question {
	ref, err := image.Parse(repository + "@" + digest)
	if err != nil {
		panic(err)
	}
	return proof.Question{Image: ref, Requirement: r, Environment: "production", Now: time.Now()}
}

// answer is what a caller sees, in one line.
func answer(finding proof.Finding, err error) string {
	switch {
	case errors.Is(err, image.ErrNotExist):
		return "absent"
	case err != nil:
		return "unknown: " + err.Error()
	case !finding.Outcome.Satisfied:
		return "rejected"
	case finding.Stale != "":
		return "stale: " + finding.Stale
	}
	return "verified"
}

// ask asks about the image that is signed at the beginning.
func (w *world) ask(v *Verifier, r *proof.Requirement) string {
	w.t.Helper()
	return answer(v.Verify(w.t.Context(), question(r, webImage, digestOf(1))))
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if got != want && !(strings.HasSuffix(want, "…") && strings.HasPrefix(got, strings.TrimSuffix(want, "…"))) {
		t.Errorf("answered %q, want %q", got, want)
	}
}

// inBubble runs a test by a clock that only moves when everything waits.
func inBubble(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t, newWorld(t))
		// What goes on in the background ends by itself.
		advance(probeFor + 2*defaultTimeout)
	})
}

// advance lets time pass in a bubble, where only its clock moves.
func advance(d time.Duration) { <-time.After(d) }

// memoryStore implements verdict.Store.
type memoryStore struct {
	mu      sync.Mutex
	records map[string]proof.Record
	finds   int
	failure error
}

func newMemoryStore() *memoryStore { return &memoryStore{records: map[string]proof.Record{}} }

func (s *memoryStore) Load(context.Context) (map[string]proof.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.records), s.failure
}

func (s *memoryStore) Find(_ context.Context, key string) (proof.Record, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finds++
	record, found := s.records[key]
	return record, found, s.failure
}

func (s *memoryStore) Save(_ context.Context, changed map[string]proof.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure != nil {
		return s.failure
	}
	for key, record := range changed {
		if len(record.Content) == 0 {
			delete(s.records, key)
		} else {
			s.records[key] = record
		}
	}
	return nil
}

var _ verdict.Store = &memoryStore{}
