package verification_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
	"github.com/runeframeos/kubectl-rune/pkg/signature/verification"
)

func TestCollectingEndsAsSoonAsThereIsEnough(t *testing.T) {
	trusted, second := newKey(t), newKey(t)
	s := servers(t)["a registry with referrers"]
	ref := s.push(t)
	for range 20 {
		trusted.sign(t, ref)
	}
	second.sign(t, ref)
	v := verifier(t)
	p := in(policy(trusted.authority("release"), second.authority("people")), v1alpha1.FormatTag)
	if _, err := collect(t, v, ref, p); err != nil {
		t.Fatal(err)
	}
	s.requests()
	got, err := collect(t, v, ref, p)
	must(t, err)
	// One manifest, and no more payloads than are fetched at one time.
	if asked := s.requests(); len(asked) > 5 || len(got.Signatures) == 0 {
		t.Errorf("%d requests for %d signatures", len(asked), len(got.Signatures))
	}
	p.Spec.Require = v1alpha1.RequireAll
	got, err = collect(t, v, ref, p)
	must(t, err)
	if diff := cmp.Diff([]string{"release", "people"}, signers(got)); diff != "" {
		t.Errorf("where both are asked (-want +got):\n%s", diff)
	}
}

func TestEqualImagesHaveEqualEvidence(t *testing.T) {
	trusted, foreign := newKey(t), newKey(t)
	s := servers(t)["a registry with referrers"]
	ref := s.push(t)
	trusted.sign(t, ref)
	foreign.sign(t, ref)
	trusted.signBundle(t, ref)
	foreign.signBundle(t, ref)
	for i := range 5 {
		refer(t, ref, trusted.bundle(t, statement(t, ref, scanType, map[string]any{"n": i})), scanType)
		foreign.attest(t, ref, scanType, map[string]any{"n": i})
	}
	p := asking(policy(trusted.authority("release")), scanType)
	p.Spec.Attestations[0].Conditions = []v1alpha1.AttestationCondition{condition("predicate.n > 100")}
	first := evidence(t, ref, p)
	for range 10 {
		again := evidence(t, ref, p)
		again.CollectedAt = first.CollectedAt
		if diff := cmp.Diff(first, again); diff != "" {
			t.Fatalf("evidence differs:\n%s", diff)
		}
	}
	if len(first.Attestations) != 5 {
		t.Errorf("%d attestations without a time, want all 5", len(first.Attestations))
	}
}

func TestMoreLayersThanAreTried(t *testing.T) {
	trusted, foreign := newKey(t), newKey(t)
	s := newServer(t)
	ref := s.push(t)
	text := payloadFor(t, ref)
	img := empty.Image
	for range 300 {
		var err error
		img, err = mutate.Append(img, mutate.Addendum{
			Layer:       static.NewLayer(text, "application/vnd.dev.cosign.simplesigning.v1+json"),
			Annotations: map[string]string{"dev.cosignproject.cosign/signature": encoded(foreign.raw(t, text))},
		})
		must(t, err)
	}
	must(t, remote.Write(digestOf(t, ref).Context().Tag(sigTag(ref)), img))
	got := evidence(t, ref, in(policy(trusted.authority("release")), v1alpha1.FormatTag))
	requireReason(t, got, "only 256 layers of its tag, the newest, were tried")
	if len(got.Rejected) > 16 {
		t.Errorf("%d rejections are told", len(got.Rejected))
	}
	trusted.sign(t, ref)
	if diff := cmp.Diff([]string{"release"}, signers(evidence(t, ref, policy(trusted.authority("release"))))); diff != "" {
		t.Errorf("the newest signature was not tried (-want +got):\n%s", diff)
	}
}

// flood is a registry with any number of junk referrers, before a good one.
type flood struct {
	verification.Registry
	junk int
	good registry.Descriptor

	mu     sync.Mutex
	blobs  int
	atOnce int64
	peak   int64
}

func (f *flood) Referrers(_ context.Context, _ registry.Access, _ image.Reference, keep func(registry.Descriptor) bool, limit int) (registry.Referrers, error) {
	var found registry.Referrers
	add := func(d registry.Descriptor) {
		switch {
		case !keep(d):
		case len(found.Descriptors) < limit:
			found.Descriptors = append(found.Descriptors, d)
		default:
			found.Omitted++
		}
	}
	for i := range f.junk {
		add(registry.Descriptor{Digest: fmt.Sprintf("sha256:%064x", i), Size: 500})
	}
	add(f.good)
	return found, nil
}

func (f *flood) Manifest(ctx context.Context, access registry.Access, ref image.Reference) (registry.Manifest, error) {
	if ref.Digest == f.good.Digest {
		return f.Registry.Manifest(ctx, access, ref)
	}
	raw := fmt.Sprintf(`{"layers":[{"mediaType":%q,"digest":"sha256:%s","size":%d}]}`, bundleV03, strings.Repeat("0", 64), 8<<20)
	return registry.Manifest{Raw: []byte(raw)}, nil
}

func (f *flood) Blob(ctx context.Context, access registry.Access, ref image.Reference, digest string, size int64) ([]byte, error) {
	if digest != "sha256:"+strings.Repeat("0", 64) {
		return f.Registry.Blob(ctx, access, ref, digest, size)
	}
	f.mu.Lock()
	f.blobs++
	f.atOnce += size
	f.peak = max(f.peak, f.atOnce)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.atOnce -= size
	}()
	return bytes.Repeat([]byte(" "), int(size)), nil
}

func TestTenThousandJunkReferrersHideNothingAndTakeBoundedMemory(t *testing.T) {
	trusted := newKey(t)
	s := servers(t)["a registry with referrers"]
	ref := s.push(t)
	trusted.signBundle(t, ref)
	client, err := registry.New(registry.Config{Keychain: anonymous{}})
	must(t, err)
	listed, err := client.Referrers(t.Context(), registry.Access{}, ref, func(registry.Descriptor) bool { return true }, 10)
	must(t, err)
	f := &flood{Registry: client, junk: 10_000, good: listed.Descriptors[0]}
	v := verifier(t, func(c *verification.Config) { c.Registry = f })
	// The key that signed nothing makes it look at all of them.
	p := in(policy(trusted.authority("release"), newKey(t).authority("people")), v1alpha1.FormatBundle)
	p.Spec.Require = v1alpha1.RequireAll
	requirement := compile(t, p)
	authorities, err := v.Prepare(t.Context(), requirement)
	must(t, err)

	const atOnce = 2
	var wait sync.WaitGroup
	got := make([]proof.Evidence, atOnce)
	for i := range atOnce {
		wait.Go(func() {
			var err error
			if got[i], err = v.Collect(context.Background(), zeroAccess(), ref, requirement, authorities); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for _, e := range got {
		if diff := cmp.Diff([]string{"release"}, signers(e)); diff != "" {
			t.Fatalf("junk hid the signature (-want +got):\n%s", diff)
		}
		if !strings.Contains(reasons(e), "of its referrers were tried") {
			t.Errorf("reasons are %q", reasons(e))
		}
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	t.Logf("%d junk bundles of 8 MiB read by %d at once; at most %d MiB of content at one time; %d MiB from the system", f.blobs, atOnce, f.peak>>20, memory.Sys>>20)
	if f.peak > 32<<20 {
		t.Errorf("%d MiB of content were read at one time", f.peak>>20)
	}
	if f.blobs > atOnce*8 {
		t.Errorf("%d bundles were read", f.blobs)
	}
}
