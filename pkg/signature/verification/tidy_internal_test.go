package verification

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

func TestWhatAKeySignedIsNoNewerWhereItWasWitnessedOnceMore(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	attestation := func(authority, predicate string, ago time.Duration) proof.Attestation {
		return proof.Attestation{
			Signature: proof.Signature{Authority: authority, Signer: "s", Time: at.Add(-ago)}, PredicateType: "urn:scan", Predicate: []byte(predicate),
		}
	}
	authorities := []*authority{{name: "key", key: &publicKey{}}, {name: "workflow"}}
	evidence := &proof.Evidence{Attestations: []proof.Attestation{
		attestation("workflow", "good", 2*time.Hour), attestation("workflow", "bad", time.Hour),
		attestation("key", "good", 3*time.Hour), attestation("key", "good", 0), attestation("key", "bad", time.Hour),
	}}
	tidy(evidence, authorities)
	want := []proof.Attestation{
		attestation("key", "good", 0), attestation("key", "bad", time.Hour), attestation("workflow", "bad", time.Hour),
	}
	if diff := cmp.Diff(want, evidence.Attestations); diff != "" {
		t.Errorf("attestations (-want +got):\n%s", diff)
	}
}
