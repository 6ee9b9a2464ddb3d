package signature

import (
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// BenchmarkVerifyKnown is what a signature policy costs an admission whose image is known.
func BenchmarkVerifyKnown(b *testing.B) {
	for name, scanAge := range map[string]time.Duration{"signature": 0, "signature and attestation": time.Hour} {
		b.Run(name, func(b *testing.B) {
			v, questions := knownImages(b, scanAge)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for n := 0; pb.Next(); n++ {
					finding, err := v.Verify(b.Context(), questions[n%len(questions)])
					if err != nil || !finding.Outcome.Satisfied {
						b.Error(finding, err)
					}
				}
			})
		})
	}
}

// knownImages verifies a thousand of them.
func knownImages(b *testing.B, scanAge time.Duration) (*Verifier, []proof.Question) {
	b.Helper()
	w := &world{fingerprint: "f1", signed: map[string]bool{}, attested: time.Now(), store: newMemoryStore()}
	config := Config{Log: logr.Discard()}
	config.complete()
	book := newBook(config)
	metrics, err := newMetrics(nil, book, config.Log)
	if err != nil {
		b.Fatal(err)
	}
	v := assemble(config, book, metrics, w, w)
	r := requirement(b, scanAge)
	questions := make([]proof.Question, 1000)
	for n := range questions {
		w.signed[webImage+"@"+digestOf(n)] = true
		questions[n] = question(r, webImage, digestOf(n))
		if _, err := v.Verify(b.Context(), questions[n]); err != nil {
			b.Fatal(err)
		}
	}
	return v, questions
}
