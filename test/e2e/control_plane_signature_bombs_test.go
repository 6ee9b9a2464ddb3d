//go:build e2e

package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	imageref "github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/test/registry"
)

// Media types of what a bomb pretends to be, and the type of a scan.
const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	indexType    = "application/vnd.oci.image.index.v1+json"
	envelopeType = "application/vnd.dsse.envelope.v1+json"
	scanType     = "https://cosign.sigstore.dev/attestation/vuln/v1"
)

// bombSize is that of a bomb in bytes: two of them are as much as is read of one bundle or envelope. Each {} of it would
// be 50 to 200 bytes of memory.
const bombSize = 8 << 20

// TestControlPlaneSignatureBombs: JSON of few megabytes that would be gigabytes once it is read. Like all other floods it
// hides no valid signature or attestation, and takes no memory to speak of.
func TestControlPlaneSignatureBombs(t *testing.T) {
	for name, referrers := range map[string]bool{"with the referrers API": true, "with the fallback tag": false} {
		t.Run(name, func(t *testing.T) {
			environment := "bombed"
			if !referrers {
				environment = "bombed-tag"
			}
			s := shared.signing(t, environment, registry.Options{Referrers: referrers})
			f := &bombing{flood: flood{signing: s, webhook: s.replica(t, s.address(t))}, referrers: referrers}
			scanned := s.policy("scanned", s.release)
			scanned.Spec.Require = v1alpha1.RequireAttestationsOnly
			scanned.Spec.Attestations = []v1alpha1.AttestationRequirement{{Name: "scan", PredicateType: scanType}}
			s.enforce(t, s.policy("shop", s.release), scanned)
			s.known(t, s.signed(t, "shop/first", "v1"))
			t.Run("bundles", f.bundleBombs)
			t.Run("manifests of bundles", f.manifestBombs)
			t.Run("envelopes", f.envelopeBombs)
		})
	}
}

// bombing is a flood of bombs.
type bombing struct {
	flood
	// referrers tells whether the registry has the referrers API.
	referrers bool
}

// bombs are documents of many empty objects, in each place where a bundle has a list.
func bombs() [][]byte {
	var all [][]byte
	for before, after := range map[string]string{
		`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"tlogEntries":[`: `]}}`,
		`{"dsseEnvelope":{"signatures":[`: `]}}`,
	} {
		all = append(all, bomb(before, after, bombSize))
	}
	return all
}

func bomb(before, after string, size int) []byte {
	count := (size - len(before) - len(after)) / len(`{},`)
	return fmt.Append(nil, before, strings.Repeat(`{},`, count-1), `{}`, after)
}

func (f *bombing) bundleBombs(t *testing.T) {
	f.beside(t, "bundle-bombs", func(ref imageref.Reference) {
		var artifacts []registry.ImageManifest
		for _, content := range bombs() {
			blob, err := f.Blob(ref.Repository, registry.BundleType, content)
			must(t, err)
			artifacts = append(artifacts, claimingToSign(blob))
		}
		must(t, f.Refer(ref, artifacts...))
	})
}

// claimingToSign is an artifact that says that it is a signature of the image.
func claimingToSign(layers ...registry.Descriptor) registry.ImageManifest {
	return registry.ImageManifest{ArtifactType: registry.BundleType, Layers: layers, Annotations: map[string]string{
		"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": registry.SignatureStatement,
	}}
}

// manifestBombs have as many layers as fit into what is read of a manifest.
func (f *bombing) manifestBombs(t *testing.T) {
	const count, size = 4, 4<<20 - 1<<10
	f.beside(t, "manifest-bombs", func(ref imageref.Reference) {
		var listed []string
		for i := range count {
			raw := bomb(fmt.Sprintf(`{"mediaType":%q,"artifactType":%q,"config":{"mediaType":%q},"subject":{"digest":%q},"annotations":{"number":"%d"},"layers":[`,
				manifestType, registry.BundleType, registry.BundleType, ref.Digest, i), `]}`, size)
			sum := fmt.Sprintf("sha256:%x", sha256.Sum256(raw))
			f.put(t, ref.Repository, sum, manifestType, raw)
			listed = append(listed, fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d,"artifactType":%q}`, manifestType, sum, len(raw), registry.BundleType))
		}
		if !f.referrers {
			index := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[%s]}`, indexType, strings.Join(listed, ","))
			f.put(t, ref.Repository, strings.Replace(ref.Digest, ":", "-", 1), indexType, []byte(index))
		}
	})
}

// put puts a manifest as it is into the registry.
func (f *bombing) put(t *testing.T, repository, name, mediaType string, raw []byte) {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/v2/"+repository+"/manifests/"+name, bytes.NewReader(raw))
	request.Header.Set("Content-Type", mediaType)
	answer := httptest.NewRecorder()
	f.Content().ServeHTTP(answer, request)
	if answer.Code != http.StatusCreated {
		t.Fatalf("the registry refuses a manifest: %d %s", answer.Code, answer.Body)
	}
}

// envelopeBombs are attestations. The valid one beside them counts.
func (f *bombing) envelopeBombs(t *testing.T) {
	bare, attested := f.push(t, "scanned/envelope-bombs", "bare"), f.push(t, "scanned/envelope-bombs", "attested")
	for _, ref := range []imageref.Reference{bare, attested} {
		for _, content := range [][]byte{
			bomb(`{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[`, `]}`, bombSize),
			bomb(`{"signatures":[],"more":[`, `]}`, bombSize),
		} {
			layer, err := f.Blob(ref.Repository, envelopeType, content)
			must(t, err)
			layer.Annotations = map[string]string{"dev.cosignproject.cosign/signature": "", "predicateType": scanType}
			must(t, f.AddLayer(ref, ".att", layer))
		}
	}
	must(t, f.Attest(attested, f.release, registry.Statement{PredicateType: scanType, Predicate: map[string]any{"severity": "LOW"}}))
	f.webhook.forgetPeak(t)
	before, _ := f.webhook.memory(t)
	f.known(t, attested)
	f.refused(t, runs(digested(bare)), `attestation "scan"`)
	_, peak := f.webhook.memory(t)
	t.Logf("resident before %.1f MiB, at most %.1f MiB", before, peak)
	if peak > peakLimit {
		t.Errorf("the webhook took %.1f MiB, want at most %d", peak, peakLimit)
	}
}
