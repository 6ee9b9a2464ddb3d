package verification_test

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"fmt"
	"testing"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
)

// BenchmarkCollect is one image that nobody asked about before, on a registry in this process. The two requests that a
// tag takes, and one check of a signature, are measured beside it.
func BenchmarkCollect(b *testing.B) {
	t := testing.TB(b)
	trusted, s := newKey(t), newServer(t, ggcr.WithReferrersSupport(true))
	client, err := registry.New(registry.Config{Keychain: anonymous{}})
	must(t, err)
	tagged, bundled := s.push(t), s.push(t)
	trusted.sign(t, tagged)
	trusted.signBundle(t, bundled)

	b.Run("the requests of a tag and one check", func(b *testing.B) {
		tag := tagged
		tag.Digest, tag.Tag = "", sigTag(tagged)
		text := payloadFor(t, tagged)
		public, err := cryptoutils.UnmarshalPEMToPublicKey([]byte(trusted.public))
		must(t, err)
		check, err := signature.LoadVerifier(public, crypto.SHA256)
		must(t, err)
		sig := trusted.raw(t, text)
		for b.Loop() {
			if _, err := client.Manifest(b.Context(), registry.Access{}, tag); err != nil {
				b.Fatal(err)
			}
			if _, err := client.Blob(b.Context(), registry.Access{}, tagged, fmt.Sprintf("sha256:%x", sha256.Sum256(text)), int64(len(text))); err != nil {
				b.Fatal(err)
			}
			if err := check.VerifySignature(bytes.NewReader(sig), bytes.NewReader(text)); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, ref := range map[string]image.Reference{"a tag": tagged, "a bundle": bundled} {
		b.Run(name, func(b *testing.B) {
			format := v1alpha1.FormatTag
			if name == "a bundle" {
				format = v1alpha1.FormatBundle
			}
			v, requirement := verifier(t), compile(t, in(policy(trusted.authority("release")), format))
			authorities, err := v.Prepare(b.Context(), requirement)
			must(t, err)
			for b.Loop() {
				got, err := v.Collect(b.Context(), zeroAccess(), ref, requirement, authorities)
				if err != nil || len(got.Signatures) != 1 {
					b.Fatal(err, got)
				}
			}
		})
	}
}
