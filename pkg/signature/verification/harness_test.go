package verification_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
	"github.com/runeframeos/kubectl-rune/pkg/signature/verification"
)

// server is a real registry in memory that notes what it is asked and whose answers a test can replace.
type server struct {
	*httptest.Server
	real http.Handler

	mu    sync.Mutex
	seen  []string
	fault func(http.ResponseWriter, *http.Request) bool
}

// servers are a registry of each kind: with the referrers API and without.
func servers(t testing.TB) map[string]*server {
	t.Helper()
	return map[string]*server{
		"a registry with referrers":    newServer(t, ggcr.WithReferrersSupport(true)),
		"a registry without referrers": newServer(t),
	}
}

func newServer(t testing.TB, options ...ggcr.Option) *server {
	t.Helper()
	s := &server{real: ggcr.New(append(options, ggcr.Logger(log.New(io.Discard, "", 0)))...)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		s.mu.Lock()
		s.seen = append(s.seen, request.Method+" "+request.URL.Path)
		fault := s.fault
		s.mu.Unlock()
		if fault != nil && fault(w, request) {
			return
		}
		s.real.ServeHTTP(w, request)
	}))
	t.Cleanup(s.Close)
	return s
}

// status answers all requests with a part in their path by a status; an empty part heals it.
func (s *server) status(part string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = func(w http.ResponseWriter, request *http.Request) bool {
		if !strings.Contains(request.URL.Path, part) {
			return false
		}
		w.WriteHeader(status)
		return true
	}
	if part == "" {
		s.fault = nil
	}
}

// requests returns what was asked since the last call.
func (s *server) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.seen
	s.seen = nil
	return seen
}

func (s *server) host() string { return s.Listener.Addr().String() }

// push writes an image and returns its reference by digest.
func (s *server) push(t testing.TB) image.Reference {
	t.Helper()
	img, err := random.Image(256, 1)
	must(t, err)
	digest, err := img.Digest()
	must(t, err)
	ref := image.Reference{Registry: s.host(), Repository: "team/web", Digest: digest.String()}
	must(t, remote.Write(digestOf(t, ref), img))
	return ref
}

// pushIndex writes an image of several platforms and returns it and the first of them.
func (s *server) pushIndex(t testing.TB) (index, child image.Reference) {
	t.Helper()
	idx, err := random.Index(256, 1, 2)
	must(t, err)
	digest, err := idx.Digest()
	must(t, err)
	index = image.Reference{Registry: s.host(), Repository: "team/web", Digest: digest.String()}
	must(t, remote.WriteIndex(digestOf(t, index), idx))
	manifest, err := idx.IndexManifest()
	must(t, err)
	return index, index.WithDigest(manifest.Manifests[0].Digest.String())
}

// verifier asks registries without credentials.
func verifier(t testing.TB, change ...func(*verification.Config)) *verification.Verifier {
	t.Helper()
	client, err := registry.New(registry.Config{Keychain: anonymous{}, RequestTimeout: 3 * time.Second})
	must(t, err)
	config := verification.Config{Registry: client}
	for _, c := range change {
		c(&config)
	}
	return verification.New(config)
}

type anonymous struct{}

func (anonymous) Resolve(authn.Resource) (authn.Authenticator, error) { return authn.Anonymous, nil }

// policy of the tests: whatever image, in one environment.
func policy(authorities ...v1alpha1.Authority) *v1alpha1.ImagePolicy {
	return &v1alpha1.ImagePolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "trusted"},
		Spec: v1alpha1.ImagePolicySpec{
			Images: []string{"**"}, Environments: []string{"production"}, Require: v1alpha1.RequireAny, Authorities: authorities,
		},
	}
}

// asking adds attestations to a policy.
func asking(p *v1alpha1.ImagePolicy, predicateTypes ...string) *v1alpha1.ImagePolicy {
	for _, predicateType := range predicateTypes {
		p.Spec.Attestations = append(p.Spec.Attestations, v1alpha1.AttestationRequirement{Name: predicateType[strings.LastIndex(predicateType, "/")+1:], PredicateType: predicateType})
	}
	return p
}

func condition(expression string) v1alpha1.AttestationCondition {
	return v1alpha1.AttestationCondition{Name: "condition", Expression: expression}
}

func onlyAttestations(p *v1alpha1.ImagePolicy) *v1alpha1.ImagePolicy {
	p.Spec.Require = v1alpha1.RequireAttestationsOnly
	return p
}

func in(p *v1alpha1.ImagePolicy, formats ...v1alpha1.SignatureFormat) *v1alpha1.ImagePolicy {
	p.Spec.Formats = formats
	return p
}

func compile(t testing.TB, p *v1alpha1.ImagePolicy) *proof.Requirement {
	t.Helper()
	compiler, err := proof.NewCompiler()
	must(t, err)
	requirement, err := compiler.Compile(p)
	must(t, err)
	return requirement
}

// collect prepares and collects, as every caller does.
func collect(t testing.TB, v *verification.Verifier, ref image.Reference, p *v1alpha1.ImagePolicy) (proof.Evidence, error) {
	t.Helper()
	requirement := compile(t, p)
	authorities, err := v.Prepare(t.Context(), requirement)
	must(t, err)
	return v.Collect(t.Context(), image.Access{}, ref, requirement, authorities)
}

// evidence fails the test where nobody could tell.
func evidence(t testing.TB, ref image.Reference, p *v1alpha1.ImagePolicy) proof.Evidence {
	t.Helper()
	got, err := collect(t, verifier(t), ref, p)
	must(t, err)
	return got
}

// signers are the authorities whose signatures were verified, in order.
func signers(e proof.Evidence) []string {
	var list []string
	for _, s := range e.Signatures {
		list = append(list, s.Authority)
	}
	return list
}

// attested are the verified attestations' types and authorities, in order.
func attested(e proof.Evidence) []string {
	var list []string
	for _, a := range e.Attestations {
		list = append(list, a.PredicateType+" "+a.Authority)
	}
	return list
}

// reasons are what was rejected and why.
func reasons(e proof.Evidence) string {
	var list []string
	for _, r := range e.Rejected {
		list = append(list, r.Reason)
	}
	return strings.Join(list, "\n")
}

func requireReason(t testing.TB, e proof.Evidence, want string) {
	t.Helper()
	if len(e.Signatures)+len(e.Attestations) > 0 {
		t.Errorf("verified %+v and %+v, want nothing", e.Signatures, e.Attestations)
	}
	if !strings.Contains(reasons(e), want) {
		t.Errorf("reasons are %q, want one with %q", reasons(e), want)
	}
}

func digestOf(t testing.TB, ref image.Reference) name.Digest {
	t.Helper()
	digest, err := name.NewDigest(ref.Name() + "@" + ref.Digest)
	must(t, err)
	return digest
}

func hashOf(t testing.TB, ref image.Reference) v1.Hash {
	t.Helper()
	hash, err := v1.NewHash(ref.Digest)
	must(t, err)
	return hash
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// compileAnyhow is for policies that no compiler may let pass: it smuggles them in behind its back.
func compileAnyhow(t testing.TB, p *v1alpha1.ImagePolicy) *proof.Requirement {
	t.Helper()
	requirement := compile(t, policy(newKey(t).authority("release")))
	*requirement.ImagePolicy() = *p
	return requirement
}

func zeroAccess() image.Access { return image.Access{} }
