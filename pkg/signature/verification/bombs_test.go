package verification_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
	"github.com/runeframeos/kubectl-rune/pkg/signature/verification"
)

// shelf is a registry of one image whose content is written by hand.
type shelf struct {
	manifests, blobs map[string][]byte
	referrers        []registry.Descriptor
}

func newShelf() *shelf {
	return &shelf{manifests: map[string][]byte{}, blobs: map[string][]byte{}}
}

func sumOf(content []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(content)) }

// shelved is the image of a shelf.
func shelved() image.Reference {
	return image.Reference{Registry: "registry.example.com", Repository: "team/web", Digest: sumOf([]byte("image"))}
}

func (s *shelf) Exists(context.Context, registry.Access, image.Reference) error { return nil }

func (s *shelf) Manifest(_ context.Context, _ registry.Access, ref image.Reference) (registry.Manifest, error) {
	raw, found := s.manifests[ref.Digest+ref.Tag]
	if !found {
		return registry.Manifest{}, image.ErrNotExist
	}
	return registry.Manifest{Raw: slices.Clone(raw)}, nil
}

func (s *shelf) Blob(_ context.Context, _ registry.Access, _ image.Reference, digest string, _ int64) ([]byte, error) {
	raw, found := s.blobs[digest]
	if !found {
		return nil, image.ErrNotExist
	}
	return slices.Clone(raw), nil
}

func (s *shelf) Referrers(_ context.Context, _ registry.Access, _ image.Reference, keep func(registry.Descriptor) bool, limit int) (registry.Referrers, error) {
	var found registry.Referrers
	for _, d := range s.referrers {
		switch {
		case !keep(d):
		case len(found.Descriptors) < limit:
			found.Descriptors = append(found.Descriptors, d)
		default:
			found.Omitted++
		}
	}
	return found, nil
}

// refer adds a manifest that refers to the image, and says which predicate type it has where hint is not empty.
func (s *shelf) refer(manifest []byte, hint string) {
	d := registry.Descriptor{ArtifactType: bundleV03, Digest: sumOf(manifest), Size: int64(len(manifest))}
	if hint != "" {
		d.Annotations = map[string]string{"dev.sigstore.bundle.predicateType": hint}
	}
	s.manifests[d.Digest] = manifest
	s.referrers = append(s.referrers, d)
}

// referBundle adds a bundle.
func (s *shelf) referBundle(bundle []byte, hint string) {
	s.blobs[sumOf(bundle)] = bundle
	s.refer(fmt.Appendf(nil, `{"layers":[{"mediaType":%q,"digest":%q,"size":%d}]}`, bundleV03, sumOf(bundle), len(bundle)), hint)
}

// tag puts content under a tag, each as a layer with the same annotations.
func (s *shelf) tag(tag string, annotations string, layers ...[]byte) {
	var list []string
	for _, content := range layers {
		s.blobs[sumOf(content)] = content
		list = append(list, fmt.Sprintf(`{"digest":%q,"size":%d,"annotations":{%s}}`, sumOf(content), len(content), annotations))
	}
	s.manifests[tag] = []byte(`{"layers":[` + strings.Join(list, ",") + `]}`)
}

// repeated is JSON of about a size, in which one element stands as often as fits.
func repeated(before, element, after string, size int) []byte {
	n := (size - len(before) - len(after) - 1) / (len(element) + 1)
	return []byte(before + strings.TrimSuffix(strings.Repeat(element+",", n), ",") + after)
}

// peakOf returns by how many MiB the heap grew at most, as far as it was looked at while something ran. Garbage is
// collected early: how much of it a program lets lie depends on all else that it holds.
func peakOf(work func()) int64 {
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	heap := func() int64 {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(sample)
		return int64(sample[0].Value.Uint64())
	}
	runtime.GC()
	before := heap()
	var most atomic.Int64
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			most.Store(max(most.Load(), heap()))
			select {
			case <-done:
				return
			default:
				runtime.Gosched()
			}
		}
	}()
	work()
	close(done)
	<-ended
	return (most.Load() - before) >> 20
}

// bombs are what takes many times its size where it is decoded, or copied, before it is looked at: some of each.
func bombs(n int) map[string]func(*shelf) {
	const envelope, manifest = 16 << 20, 4 << 20
	all := map[string]func(*shelf){
		"layers of manifests": func(s *shelf) {
			for i := range 4 * n {
				s.refer(repeated(fmt.Sprintf(`{"x":%d,"layers":[`, i), `{}`, `]}`, manifest), "")
			}
		},
		"signatures of envelopes": func(s *shelf) {
			var envelopes [][]byte
			for i := range n {
				envelopes = append(envelopes, repeated(fmt.Sprintf(`{"payloadType":"application/vnd.in-toto+json","payload":"e30=","x":%d,"signatures":[`, i), `{}`, `]}`, envelope))
			}
			s.tag(attTag(shelved()), "", envelopes...)
		},
		"statements of strangers in bundles": func(s *shelf) {
			for i := range n {
				s.referBundle(fmt.Appendf(nil, `{"mediaType":%q,"verificationMaterial":{"publicKey":{"hint":"x"}},"dsseEnvelope":%s}`, bundleV03, strange(i)), "")
			}
		},
		"statements of strangers under a tag": func(s *shelf) {
			var envelopes [][]byte
			for i := range n {
				envelopes = append(envelopes, strange(i))
			}
			s.tag(attTag(shelved()), "", envelopes...)
		},
		"a log entry in an annotation": func(s *shelf) {
			entry := string(repeated(`{\"Payload\":{\"body\":[`, `{}`, `]}}`, 3<<20))
			s.tag(sigTag(shelved()), `"dev.cosignproject.cosign/signature":"AAAA","dev.sigstore.cosign/bundle":"`+entry+`"`, []byte("{}"))
		},
	}
	for name, text := range map[string][3]string{
		"log entries of a bundle":        {`{"mediaType":"x%d","verificationMaterial":{"tlogEntries":[`, `{}`, `]}}`},
		"signatures of a bundle":         {`{"mediaType":"x%d","dsseEnvelope":{"signatures":[`, `{}`, `]}}`},
		"certificates of a bundle":       {`{"mediaType":"x%d","verificationMaterial":{"x509CertificateChain":{"certificates":[`, `{}`, `]}}}`},
		"lists without end in a bundle":  {`{"mediaType":"x%d","verificationMaterial":`, `[[[[[[[[`, ``},
		"names of a bundle nobody knows": {`{"mediaType":"x%d"`, `"a":{}`, `}`},
	} {
		all[name] = func(s *shelf) {
			for i := range n {
				s.referBundle(repeated(fmt.Sprintf(text[0], i), text[1], text[2], envelope), "")
			}
		}
	}
	return all
}

// strange is an envelope with a large statement that nobody trusted signed.
func strange(i int) []byte {
	statement := repeated(`{"_type":"https://in-toto.io/Statement/v1","predicate":[`, `{}`, fmt.Sprintf(`],"x":%d}`, i), 11<<20)
	return fmt.Appendf(nil, `{"payloadType":"application/vnd.in-toto+json","payload":"%s","signatures":[{"sig":"AAAA"}]}`, encoded(statement))
}

func TestContentThatTakesManyTimesItsSizeIsNotDecoded(t *testing.T) {
	const most = 128 // MiB
	for name, put := range bombs(4) {
		t.Run(name, func(t *testing.T) {
			s := newShelf()
			put(s)
			p := asking(policy(newKey(t).authority("release")), scanType)
			peak := peakOf(func() {
				got, err := collect(t, verification.New(verification.Config{Registry: s}), shelved(), p)
				must(t, err)
				if len(got.Signatures)+len(got.Attestations) > 0 {
					t.Errorf("verified %+v", got)
				}
			})
			t.Logf("peak of the heap: %d MiB", peak)
			if peak > most {
				t.Errorf("the heap grew by %d MiB, at most %d allowed", peak, most)
			}
		})
	}
}

func TestABombHidesNoSignature(t *testing.T) {
	trusted := newKey(t)
	all := bombs(1)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			s := newShelf()
			all[name](s)
			s.referBundle(marshal(t, trusted.bundle(t, statement(t, shelved(), signType, map[string]any{}))), signType)
			got, err := collect(t, verification.New(verification.Config{Registry: s}), shelved(), in(policy(trusted.authority("release")), v1alpha1.FormatBundle))
			must(t, err)
			if len(got.Signatures) != 1 {
				t.Errorf("signatures are %+v, want one; rejected %s", got.Signatures, reasons(got))
			}
		})
	}
}
