package verification_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

func TestSignaturesInBundles(t *testing.T) {
	trusted, foreign := newKey(t), newKey(t)
	tests := map[string]struct {
		attach func(t *testing.T, s *server, ref image.Reference)
		signed bool
		reason string
	}{
		"a bundle by a trusted key signs": {
			attach: func(t *testing.T, _ *server, ref image.Reference) { trusted.signBundle(t, ref) }, signed: true},
		"a bundle by another key does not": {
			attach: func(t *testing.T, _ *server, ref image.Reference) { foreign.signBundle(t, ref) },
			reason: "signed by another key"},
		"a bundle that was transplanted from another image does not": {
			attach: func(t *testing.T, s *server, ref image.Reference) {
				refer(t, ref, trusted.bundle(t, statement(t, s.push(t), signType, map[string]any{})), signType)
			}, reason: "is for another image"},
		"a bundle with a tampered statement does not": {
			attach: func(t *testing.T, s *server, ref image.Reference) {
				bundle := trusted.bundle(t, statement(t, s.push(t), signType, map[string]any{}))
				bundle.GetDsseEnvelope().Payload = statement(t, ref, signType, map[string]any{})
				refer(t, ref, bundle, signType)
			}, reason: "signed by another key"},
		"provenance passed off as a signature does not": {
			attach: func(t *testing.T, _ *server, ref image.Reference) {
				refer(t, ref, trusted.bundle(t, statement(t, ref, provenanceType, map[string]any{})), signType)
			}, reason: "is an attestation, which does not count as a signature"},
		"provenance without an annotation does not": {
			attach: func(t *testing.T, _ *server, ref image.Reference) {
				refer(t, ref, trusted.bundle(t, statement(t, ref, provenanceType, map[string]any{})), "")
			}, reason: "is an attestation, which does not count as a signature"},
		"a signature without an annotation does": {
			attach: func(t *testing.T, _ *server, ref image.Reference) {
				refer(t, ref, trusted.bundle(t, statement(t, ref, signType, map[string]any{})), "")
			}, signed: true},
		"a statement that is none of in-toto does not": {
			attach: func(t *testing.T, _ *server, ref image.Reference) {
				raw := strings.Replace(string(statement(t, ref, signType, nil)), "https://in-toto.io/Statement/v1", "https://example.org/v1", 1)
				refer(t, ref, trusted.bundle(t, []byte(raw)), signType)
			}, reason: "no in-toto statement"},
		"a statement with two predicate types does not": {
			attach: func(t *testing.T, _ *server, ref image.Reference) {
				raw := strings.Replace(string(statement(t, ref, signType, nil)), "{", `{"predicateType":"`+provenanceType+`",`, 1)
				refer(t, ref, trusted.bundle(t, []byte(raw)), signType)
			}, reason: "duplicate"},
		"a bundle with two signatures does not": {
			attach: func(t *testing.T, _ *server, ref image.Reference) {
				bundle := trusted.bundle(t, statement(t, ref, signType, nil))
				envelope := bundle.GetDsseEnvelope()
				envelope.Signatures = append(envelope.Signatures, envelope.Signatures[0])
				refer(t, ref, bundle, signType)
			}, reason: "has 2 signatures"},
		"a junk referrer beside a good one changes nothing": {
			attach: func(t *testing.T, _ *server, ref image.Reference) {
				referRaw(t, ref, []byte("no JSON at all"), signType)
				referRaw(t, ref, []byte(`{"mediaType":"`+bundleV03+`"}`), signType)
				trusted.signBundle(t, ref)
				referRaw(t, ref, []byte(`{}`), "")
			}, signed: true},
		"junk alone is no signature": {
			attach: func(t *testing.T, _ *server, ref image.Reference) {
				referRaw(t, ref, []byte("no JSON at all"), signType)
			},
			reason: "its bundle cannot be read"},
		"a referrer of the empty type may be a bundle": {
			attach: func(t *testing.T, s *server, ref image.Reference) {
				referUntyped(t, ref, bundleV03, marshal(t, trusted.bundle(t, statement(t, ref, signType, nil))))
			}, signed: true},
		"a referrer of no kind that we know is passed over": {
			attach: func(t *testing.T, s *server, ref image.Reference) {
				referUntyped(t, ref, "text/plain", []byte("hello"))
			}},
	}
	for kind, s := range servers(t) {
		for name, tt := range tests {
			t.Run(kind+": "+name, func(t *testing.T) {
				ref := s.push(t)
				tt.attach(t, s, ref)
				got := evidence(t, ref, policy(trusted.authority("release")))
				if !tt.signed {
					requireReason(t, got, tt.reason)
					return
				}
				if diff := cmp.Diff([]string{"release"}, signers(got)); diff != "" {
					t.Fatalf("signers (-want +got):\n%s\nrejected: %s", diff, reasons(got))
				}
				if got.Signatures[0].Format != v1alpha1.FormatBundle {
					t.Errorf("format is %q", got.Signatures[0].Format)
				}
			})
		}
	}
}

// referUntyped attaches a layer by a referrer that does not say of what type it is.
func referUntyped(t *testing.T, ref image.Reference, mediaType types.MediaType, raw []byte) {
	t.Helper()
	img, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), static.NewLayer(raw, mediaType))
	must(t, err)
	img = mutate.ConfigMediaType(img, "application/vnd.oci.empty.v1+json")
	subject, err := remote.Head(digestOf(t, ref))
	must(t, err)
	referrer, ok := mutate.Subject(img, v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size}).(v1.Image)
	if !ok {
		t.Fatal("an image with a subject is no image")
	}
	digest, err := referrer.Digest()
	must(t, err)
	must(t, remote.Write(digestOf(t, ref).Context().Digest(digest.String()), referrer))
}

func TestAForeignURLIsNotFollowed(t *testing.T) {
	trusted := newKey(t)
	s, elsewhere := newServer(t), newServer(t)
	ref := s.push(t)
	text := payloadFor(t, ref)
	layer := static.NewLayer(text, "application/vnd.dev.cosign.simplesigning.v1+json")
	img, err := mutate.Append(empty.Image, mutate.Addendum{
		Layer: layer, URLs: []string{elsewhere.URL + "/payload"},
		Annotations: map[string]string{"dev.cosignproject.cosign/signature": encoded(trusted.raw(t, text))},
	})
	must(t, err)
	must(t, remote.Write(digestOf(t, ref).Context().Tag(sigTag(ref)), img))
	requireReason(t, evidence(t, ref, policy(trusted.authority("release"))), "lies outside of the registry")
	if asked := elsewhere.requests(); len(asked) > 0 {
		t.Errorf("a stranger's host was asked: %q", asked)
	}
}

func TestRequestsAreFew(t *testing.T) {
	trusted := newKey(t)
	tests := map[string]struct {
		attach  func(t testing.TB, ref image.Reference)
		formats []v1alpha1.SignatureFormat
		want    int
	}{
		"two for a key under a tag":     {attach: func(t testing.TB, ref image.Reference) { trusted.sign(t, ref) }, formats: []v1alpha1.SignatureFormat{v1alpha1.FormatTag}, want: 2},
		"three for a bundle":            {attach: trusted.signBundle, formats: []v1alpha1.SignatureFormat{v1alpha1.FormatBundle}, want: 3},
		"one more for a tag among both": {attach: func(t testing.TB, ref image.Reference) { trusted.sign(t, ref) }, want: 3},
		"one more for a bundle of both": {attach: trusted.signBundle, want: 4},
		"three for an unsigned image":   {attach: func(testing.TB, image.Reference) {}, want: 3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := servers(t)["a registry with referrers"]
			v := verifier(t)
			p := in(policy(trusted.authority("release")), tt.formats...)
			// The ping, once for a registry.
			if _, err := collect(t, v, s.push(t), p); err != nil {
				t.Fatal(err)
			}
			ref := s.push(t)
			tt.attach(t, ref)
			s.requests()
			if _, err := collect(t, v, ref, p); err != nil {
				t.Fatal(err)
			}
			if asked := s.requests(); len(asked) > tt.want {
				t.Errorf("asked %d times, want at most %d: %q", len(asked), tt.want, asked)
			}
		})
	}
}
