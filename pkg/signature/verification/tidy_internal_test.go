package verification

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

func TestOfAttestationsTheNewestIsKept(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	never := time.Time{}
	// scan is one by a key or a workflow that was witnessed at one time and says another time of itself.
	scan := func(authority string, witnessed, own time.Time, n int) proof.Attestation {
		return proof.Attestation{
			Signature:     proof.Signature{Authority: authority, Signer: "s", Time: witnessed},
			PredicateType: "https://cosign.sigstore.dev/attestation/vuln/v1",
			Predicate:     fmt.Appendf(nil, `{"n":%d,"metadata":{"scanFinishedOn":%q}}`, n, own.Format(time.RFC3339)),
		}
	}
	ago := func(hours int) time.Time { return now.Add(-time.Duration(hours) * time.Hour) }
	test := scan("key", never, never, 1)
	test.PredicateType, test.Predicate = "urn:test", []byte("{}")
	tests := map[string]struct{ lies, want []proof.Attestation }{
		"of a key by its own time, however late it was witnessed once more": {
			lies: []proof.Attestation{scan("key", now, ago(3), 1), scan("key", ago(1), ago(2), 2)},
			want: []proof.Attestation{scan("key", ago(1), ago(2), 2)},
		},
		"of a key by its own time where nothing bears witness": {
			lies: []proof.Attestation{scan("key", never, ago(3), 1), scan("key", never, ago(2), 2), scan("key", never, ago(4), 3)},
			want: []proof.Attestation{scan("key", never, ago(2), 2)},
		},
		"of a workflow by its witness": {
			lies: []proof.Attestation{scan("workflow", ago(2), ago(0), 1), scan("workflow", ago(1), ago(5), 2)},
			want: []proof.Attestation{scan("workflow", ago(1), ago(5), 2)},
		},
		"of each authority": {
			lies: []proof.Attestation{scan("workflow", ago(1), ago(1), 1), scan("key", never, ago(2), 2)},
			want: []proof.Attestation{scan("key", never, ago(2), 2), scan("workflow", ago(1), ago(1), 1)},
		},
		"of each type": {
			lies: []proof.Attestation{test, scan("key", never, ago(2), 2)},
			want: []proof.Attestation{scan("key", never, ago(2), 2), test},
		},
		"all of the same time": {
			lies: []proof.Attestation{scan("key", never, ago(2), 2), scan("key", never, ago(2), 1)},
			want: []proof.Attestation{scan("key", never, ago(2), 1), scan("key", never, ago(2), 2)},
		},
		"what is of the future now may be the newest later": {
			lies: []proof.Attestation{scan("key", never, ago(-2), 1), scan("key", never, ago(1), 2), scan("key", never, ago(2), 3)},
			want: []proof.Attestation{scan("key", never, ago(-2), 1), scan("key", never, ago(1), 2)},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := &collection{authorities: []*authority{{name: "key", key: &publicKey{}}, {name: "workflow"}}}
			c.evidence.Attestations = tt.lies
			tidy(c, now)
			if diff := cmp.Diff(tt.want, c.evidence.Attestations); diff != "" {
				t.Errorf("attestations (-want +got):\n%s", diff)
			}
		})
	}
}
