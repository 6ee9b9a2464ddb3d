package verification_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
	"github.com/runeframeos/kubectl-rune/pkg/signature/verification"
)

// scanned is the predicate of a scan that took place some time ago.
func scanned(severity string, ago time.Duration) map[string]any {
	return map[string]any{"severity": severity, "metadata": map[string]any{"scanFinishedOn": time.Now().Add(-ago).Format(time.RFC3339)}}
}

// uncritical asks for scans without critical findings, beside other attestations.
func uncritical(p *v1alpha1.ImagePolicy, others ...string) *v1alpha1.ImagePolicy {
	p = onlyAttestations(asking(p, append([]string{scanType}, others...)...))
	p.Spec.Attestations[0].Conditions = []v1alpha1.AttestationCondition{condition("predicate.severity != 'CRITICAL'")}
	return p
}

// judged collects and judges.
func judged(t *testing.T, asked verification.Registry, ref image.Reference, p *v1alpha1.ImagePolicy) proof.Outcome {
	t.Helper()
	got, err := collect(t, verification.New(verification.Config{Registry: asked}), ref, p)
	must(t, err)
	return compile(t, p).Judge(&got, proof.Context{Image: ref, Environment: "production", Now: time.Now()})
}

func requireOutcome(t *testing.T, got proof.Outcome, want string) {
	t.Helper()
	if reasons := strings.Join(got.Reasons, "\n"); got.Satisfied != (want == "") || !strings.Contains(reasons, want) {
		t.Errorf("satisfied: %t, reasons %q; want %q", got.Satisfied, reasons, want)
	}
}

const (
	critical = `predicate.severity != 'CRITICAL' is not true`
	tooMany  = "more than 256 attestations lie beside it, so nobody knows which is the newest: remove old ones (cosign attest --replace)"
)

// TestTheNewestScanCounts has scans of each hour, of which the newest alone found something critical. Neither their
// number nor their order may hide it.
func TestTheNewestScanCounts(t *testing.T) {
	trusted := newKey(t)
	i := newInstance(t)
	severity := func(k int) string {
		if k == 0 {
			return "CRITICAL"
		}
		return "LOW"
	}
	formats := map[string]func(s *shelf, hours []int){
		"under a tag": func(s *shelf, hours []int) {
			var envelopes [][]byte
			for _, k := range hours {
				e := trusted.envelope(t, statement(t, shelved(), scanType, scanned(severity(k), time.Duration(k)*time.Hour)))
				envelopes = append(envelopes, fmt.Appendf(nil, `{"payloadType":%q,"payload":%q,"signatures":[{"sig":%q}]}`, e.PayloadType, e.Payload, e.Signatures[0].Sig))
			}
			s.tag(attTag(shelved()), fmt.Sprintf(`"predicateType":%q`, scanType), envelopes...)
		},
		"in bundles": func(s *shelf, hours []int) {
			for _, k := range hours {
				s.referBundle(marshal(t, trusted.bundle(t, statement(t, shelved(), scanType, scanned(severity(k), time.Duration(k)*time.Hour)))), scanType)
			}
		},
		"in bundles that say no type": func(s *shelf, hours []int) {
			for _, k := range hours {
				s.referBundle(marshal(t, trusted.bundle(t, statement(t, shelved(), scanType, scanned(severity(k), time.Duration(k)*time.Hour)))), "")
			}
		},
		"in bundles of a workflow": func(s *shelf, hours []int) {
			for _, k := range hours {
				at := time.Now().Add(-time.Duration(k) * time.Minute)
				h := i.certify(t, ci(), at.Add(-time.Minute))
				s.referBundle(marshal(t, h.bundle(t, statement(t, shelved(), scanType, map[string]any{"severity": severity(k)}), witness{log: true, at: at})), scanType)
			}
		},
	}
	for format, put := range formats {
		for n, want := range map[int]string{10: critical, 70: critical, 256: critical, 257: tooMany} {
			if n > 100 && format == "in bundles of a workflow" {
				continue // the certificates are valid for minutes
			}
			for order, hour := range map[string]func(int) int{"oldest first": func(k int) int { return n - 1 - k }, "newest first": func(k int) int { return k }} {
				t.Run(fmt.Sprintf("%d %s, the %s", n, format, order), func(t *testing.T) {
					var hours []int
					for k := range n {
						hours = append(hours, hour(k))
					}
					s := newShelf()
					put(s, hours)
					requireOutcome(t, judged(t, s, shelved(), uncritical(policy(trusted.authority("release"), keyless(t, i, trustedIdentity())))), want)
				})
			}
		}
	}
}

func TestTypesDoNotCrowdOutOneAnother(t *testing.T) {
	trusted := newKey(t)
	s := newShelf()
	for k := range 300 {
		s.referBundle(marshal(t, trusted.bundle(t, statement(t, shelved(), scanType, scanned("LOW", time.Duration(k)*time.Hour)))), scanType)
	}
	s.referBundle(marshal(t, trusted.bundle(t, statement(t, shelved(), provenanceType, map[string]any{}))), provenanceType)
	p := uncritical(policy(trusted.authority("release")), provenanceType)
	got := judged(t, s, shelved(), p)
	requireOutcome(t, got, tooMany)
	if len(got.Reasons) != 1 || !got.Attestations[1].Satisfied {
		t.Errorf("the scans hide the provenance: %q", got.Reasons)
	}
}

func TestJunkMakesNoOldAttestationTheNewest(t *testing.T) {
	trusted := newKey(t)
	good := marshal(t, trusted.bundle(t, statement(t, shelved(), scanType, scanned("LOW", time.Hour))))
	junk := func(n int, hint string) func(*shelf) {
		return func(s *shelf) {
			for k := range n {
				s.referBundle(fmt.Appendf(nil, `{"junk":%d}`, k), hint)
			}
		}
	}
	tests := map[string]struct {
		put  func(*shelf)
		want string
	}{
		"some junk hides nothing":       {put: junk(64, scanType)},
		"as much as is tried":           {put: junk(255, scanType)},
		"more junk of its type":         {put: junk(256, scanType), want: tooMany},
		"more junk that says no type":   {put: junk(300, ""), want: tooMany},
		"more junk of another type":     {put: junk(300, provenanceType)},
		"more junk that says to sign":   {put: junk(300, signType), want: tooMany},
		"content too large for a look":  {put: func(s *shelf) { s.referBundle(make([]byte, 16<<20+1), scanType) }, want: "it is too large to be read"},
		"much more content than a look": {put: func(s *shelf) { manyBytes(s) }, want: "more than 64 MiB lie beside it"},
		"a manifest of layers under the tag": {put: func(s *shelf) {
			s.manifests[attTag(shelved())] = repeated(`{"layers":[`, `{}`, `]}`, 1<<20)
		}, want: "more structure than any tool writes"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newShelf()
			tt.put(s)
			s.referBundle(good, scanType)
			requireOutcome(t, judged(t, s, shelved(), uncritical(policy(trusted.authority("release")))), tt.want)
		})
	}
}

func manyBytes(s *shelf) {
	for k := range 5 {
		content := make([]byte, 16<<20)
		content[0] = byte(k)
		s.referBundle(content, scanType)
	}
}

func TestANewestAttestationThatCannotBeProjectedCounts(t *testing.T) {
	trusted := newKey(t)
	s := newShelf()
	s.referBundle(marshal(t, trusted.bundle(t, statement(t, shelved(), scanType, scanned("LOW", 2*time.Hour)))), scanType)
	s.referBundle(marshal(t, trusted.bundle(t, statement(t, shelved(), scanType, scanned(strings.Repeat("CRITICAL", 10_000), time.Hour)))), scanType)
	requireOutcome(t, judged(t, s, shelved(), uncritical(policy(trusted.authority("release")))), "look at more than 64 KiB of it")
}

// TestWhatCouldNotBeReadMayBeTheNewest has one attestation that holds, and one that the registry fails to give.
func TestWhatCouldNotBeReadMayBeTheNewest(t *testing.T) {
	trusted := newKey(t)
	for part, wantError := range map[string]bool{"/referrers/": true, ".att": true, ".sig": false} {
		t.Run(part, func(t *testing.T) {
			s := servers(t)["a registry with referrers"]
			ref := s.push(t)
			trusted.signBundle(t, ref)
			trusted.attest(t, ref, scanType, scanned("LOW", time.Hour))
			refer(t, ref, trusted.bundle(t, statement(t, ref, scanType, scanned("LOW", time.Hour))), scanType)
			s.status(part, http.StatusServiceUnavailable)
			got, err := collect(t, verifier(t), ref, asking(policy(trusted.authority("release")), scanType))
			if (err != nil) != wantError {
				t.Errorf("error %v, evidence %+v", err, got)
			}
		})
	}
}

// TestAnOldScanIsNoNewerForAnotherStamp takes what a key signed long ago and has it stamped now, as anybody can.
func TestAnOldScanIsNoNewerForAnotherStamp(t *testing.T) {
	i, trusted := newInstance(t), newKey(t)
	s := newShelf()
	b := trusted.bundle(t, statement(t, shelved(), scanType, scanned("LOW", 400*24*time.Hour)))
	b.VerificationMaterial.TimestampVerificationData = i.stampOver(t, b.GetDsseEnvelope().GetSignatures()[0].GetSig())
	s.referBundle(marshal(t, b), scanType)
	for name, presence := range map[string]v1alpha1.Presence{"stamps are required": v1alpha1.PresenceRequired, "nothing is required": ""} {
		t.Run(name, func(t *testing.T) {
			a := trusted.authority("release")
			a.TrustRoot, a.Timestamps = &v1alpha1.TrustRoot{Data: i.trustRoot(t, false)}, presence
			p := uncritical(policy(a))
			p.Spec.Attestations[0].MaxAge = &metav1.Duration{Duration: 24 * time.Hour}
			requireOutcome(t, judged(t, s, shelved(), p), "is 9600h old, at most 24h allowed")
		})
	}
}

func TestASignatureBehindJunkSaysHowMuchWasTried(t *testing.T) {
	trusted := newKey(t)
	for n, want := range map[int]string{65: "", 256: "only 256 of its referrers were tried, and there are more"} {
		s := newShelf()
		for k := range n {
			s.referBundle(fmt.Appendf(nil, `{"junk":%d}`, k), "")
		}
		s.referBundle(marshal(t, trusted.bundle(t, statement(t, shelved(), signType, map[string]any{}))), "")
		requireOutcome(t, judged(t, s, shelved(), policy(trusted.authority("release"))), want)
	}
}
