package verification_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

func TestSignaturesUnderATag(t *testing.T) {
	trusted, foreign := newKey(t), newKey(t)
	tests := map[string]struct {
		prepare func(t *testing.T, s *server) image.Reference
		signed  bool
		reason  string
	}{
		"an image that a trusted key signed is signed": {
			prepare: func(t *testing.T, s *server) image.Reference {
				ref := s.push(t)
				trusted.sign(t, ref)
				return ref
			}, signed: true},
		"an image without signatures is not": {
			prepare: func(t *testing.T, s *server) image.Reference { return s.push(t) }},
		"a signature by another key does not count": {
			prepare: func(t *testing.T, s *server) image.Reference {
				ref := s.push(t)
				foreign.sign(t, ref)
				return ref
			}, reason: "signed by another key"},
		"a signature that was transplanted from another image does not count": {
			prepare: func(t *testing.T, s *server) image.Reference {
				from, to := s.push(t), s.push(t)
				trusted.sign(t, from)
				transplant(t, from, to, sigTag)
				return to
			}, reason: "is for another image"},
		"a tampered payload does not count": {
			prepare: func(t *testing.T, s *server) image.Reference {
				from, ref := s.push(t), s.push(t)
				attach(t, ref, payloadFor(t, ref), trusted.raw(t, payloadFor(t, from)))
				return ref
			}, reason: "signed by another key"},
		"a payload that names two images does not count": {
			prepare: func(t *testing.T, s *server) image.Reference {
				other, ref := s.push(t), s.push(t)
				text := []byte(`{"critical":{"image":{"docker-manifest-digest":"` + other.Digest + `","docker-manifest-digest":"` + ref.Digest + `"}}}`)
				attach(t, ref, text, trusted.raw(t, text))
				return ref
			}, reason: "duplicate"},
		"a payload that names no image does not count": {
			prepare: func(t *testing.T, s *server) image.Reference {
				ref := s.push(t)
				text := []byte(`{"critical":{"image":{"Docker-Manifest-Digest":"` + ref.Digest + `"}}}`)
				attach(t, ref, text, trusted.raw(t, text))
				return ref
			}, reason: "names no image"},
		"one good signature beside one by another key is enough": {
			prepare: func(t *testing.T, s *server) image.Reference {
				ref := s.push(t)
				trusted.sign(t, ref)
				foreign.sign(t, ref)
				return ref
			}, signed: true},
		"junk beside a good signature changes nothing": {
			prepare: func(t *testing.T, s *server) image.Reference {
				ref := s.push(t)
				trusted.sign(t, ref)
				attachEncoded(t, ref, []byte("no JSON at all"), "bm8gc2lnbmF0dXJl")
				attachEncoded(t, ref, []byte("{}"), "%%% no base64")
				attachEncoded(t, ref, []byte(strings.Repeat(" ", 1<<17)), "bm8gc2lnbmF0dXJl")
				return ref
			}, signed: true},
		"a huge payload is not read": {
			prepare: func(t *testing.T, s *server) image.Reference {
				ref := s.push(t)
				text := []byte(strings.Repeat(" ", 1<<17))
				attach(t, ref, text, trusted.raw(t, text))
				return ref
			}, reason: "too large to be read"},
		"the signature of an index counts for the index": {
			prepare: func(t *testing.T, s *server) image.Reference {
				index, _ := s.pushIndex(t)
				trusted.sign(t, index)
				return index
			}, signed: true},
		"the signature of an index does not cover its children": {
			prepare: func(t *testing.T, s *server) image.Reference {
				index, child := s.pushIndex(t)
				trusted.sign(t, index)
				return child
			}},
	}
	s := newServer(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ref := tt.prepare(t, s)
			got := evidence(t, ref, policy(trusted.authority("release")))
			if tt.signed {
				if diff := cmp.Diff([]string{"release"}, signers(got)); diff != "" {
					t.Errorf("signers (-want +got):\n%s", diff)
				}
				return
			}
			requireReason(t, got, tt.reason)
			if tt.reason == "" && len(got.Rejected) > 0 {
				t.Errorf("rejected %+v, want nothing", got.Rejected)
			}
		})
	}
}

func TestEvidenceNamesWhoSigned(t *testing.T) {
	s := newServer(t)
	ci, people := newKey(t), newKey(t)
	ref := s.push(t)
	people.sign(t, ref)
	got := evidence(t, ref, policy(ci.authority("ci"), people.authority("people")))
	if len(got.Signatures) != 1 {
		t.Fatalf("signatures are %+v, want one", got.Signatures)
	}
	one := got.Signatures[0]
	if one.Authority != "people" || one.Format != v1alpha1.FormatTag || !strings.HasPrefix(one.Signer, "sha256:") || !one.Time.IsZero() {
		t.Errorf("signature is %+v", one)
	}
	if got.Digest != ref.Digest || got.CollectedAt.IsZero() {
		t.Errorf("evidence is of %q, collected at %s", got.Digest, got.CollectedAt)
	}
}

func TestOneKeyUnderTwoNamesIsOneSigner(t *testing.T) {
	s := newServer(t)
	k := newKey(t)
	ref := s.push(t)
	k.sign(t, ref)
	k.sign(t, ref)
	p := policy(k.authority("first"), k.authority("second"))
	p.Spec.Require, p.Spec.AtLeast = v1alpha1.RequireAtLeast, new(int32(2))
	got := evidence(t, ref, p)
	distinct := map[string]bool{}
	for _, one := range got.Signatures {
		distinct[one.Signer] = true
	}
	if len(distinct) != 1 {
		t.Errorf("one key is %d signers: %+v", len(distinct), got.Signatures)
	}
	outcome := compile(t, p).Judge(&got, proof.Context{Image: ref, Environment: "production", Now: time.Now()})
	if outcome.Satisfied {
		t.Error("one key was counted twice")
	}
}

func TestTwoSignaturesByOneIdentityAreOneSigner(t *testing.T) {
	s, sigstore := newServer(t), newInstance(t)
	ref := s.push(t)
	for i := range 2 {
		h := sigstore.certify(t, ci(), time.Now().Add(-time.Minute))
		refer(t, ref, h.bundle(t, statement(t, ref, signType, nil), witness{log: true, at: time.Now().Add(-time.Duration(i) * time.Second)}), signType)
	}
	exact, pattern := keyless(t, sigstore, trustedIdentity()), keyless(t, sigstore, v1alpha1.CertificateIdentity{Issuer: ciIssuer, SubjectRegExp: `^https://github\.com/team/.*$`})
	pattern.Name = "team"
	p := policy(exact, pattern)
	p.Spec.Require, p.Spec.AtLeast = v1alpha1.RequireAtLeast, new(int32(2))
	got := evidence(t, ref, p)
	if len(got.Signatures) != 4 {
		t.Errorf("signatures are %+v, want two of each authority", got.Signatures)
	}
	if compile(t, p).Judge(&got, proof.Context{Image: ref, Environment: "production", Now: time.Now()}).Satisfied {
		t.Error("one identity was counted twice")
	}
}

func TestJunkUnderTheTagOfReferrersHidesNothing(t *testing.T) {
	trusted := newKey(t)
	s := newServer(t)
	tagOf := func(ref image.Reference) string { return strings.Replace(ref.Digest, ":", "-", 1) }
	ref := s.push(t)
	trusted.sign(t, ref)
	img, err := random.Image(64, 1)
	must(t, err)
	must(t, remote.Write(digestOf(t, ref).Context().Tag(tagOf(ref)), img))
	if diff := cmp.Diff([]string{"release"}, signers(evidence(t, ref, policy(trusted.authority("release"))))); diff != "" {
		t.Errorf("an image hides the signature (-want +got):\n%s", diff)
	}
	index, _ := s.pushIndex(t)
	trusted.sign(t, index)
	idx, err := random.Index(64, 1, 3)
	must(t, err)
	must(t, remote.WriteIndex(digestOf(t, index).Context().Tag(tagOf(index)), idx))
	if diff := cmp.Diff([]string{"release"}, signers(evidence(t, index, policy(trusted.authority("release"))))); diff != "" {
		t.Errorf("an index of images hides the signature (-want +got):\n%s", diff)
	}
}
