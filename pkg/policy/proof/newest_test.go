package proof_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

func TestTheNewestCountsEvenWhereItCannotBeRead(t *testing.T) {
	requirement := compile(t, twoKeys+`attestations: [{name: scan, predicateType: vuln, conditions: [{name: none-high, expression: "predicate.scanner.result.high == 0"}]}]`)
	e := evidence()
	big := []byte(scanAt(time.Hour, 9))
	newest := attested("a by k", vulnURI, string(proof.ProjectTime(vulnURI, big)), time.Time{})
	newest.Unreadable = "it is too large"
	e.Attestations = []proof.Attestation{attested("a by k", vulnURI, scanAt(2*time.Hour, 0), time.Time{}), newest}
	got := requirement.Judge(e, context(t))
	if diff := cmp.Diff([]string{`attestation "scan": it is too large`}, got.Reasons); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	e.Attestations = append(e.Attestations, attested("a by k", vulnURI, scanAt(time.Minute, 0), time.Time{}))
	if got := requirement.Judge(e, context(t)); !got.Satisfied {
		t.Errorf("one that is newer yet does not count: %q", got.Reasons)
	}
}

func TestProjectTimeKeepsTheTimeAlone(t *testing.T) {
	tests := map[string]struct{ uri, predicate, want string }{
		"a scan":                   {vulnURI, `{"a":[1],"metadata":{"scanFinishedOn":"x","b":1}}`, `{"metadata":{"scanFinishedOn":"x"}}`},
		"a type without a time":    {"urn:x", `{"a":1}`, ``},
		"no JSON":                  {vulnURI, `{"a`, ``},
		"a time as long as a book": {vulnURI, `{"metadata":{"scanFinishedOn":"` + strings.Repeat("x", 70<<10) + `"}}`, ``},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := string(proof.ProjectTime(tt.uri, []byte(tt.predicate))); got != tt.want {
				t.Errorf("kept %s, want %s", got, tt.want)
			}
		})
	}
}

func TestThatNotAllWasLookedAtIsToldFirst(t *testing.T) {
	e := evidence()
	for _, reason := range []string{"a", "b", "c", "d"} {
		e.Rejected = append(e.Rejected, proof.Rejection{Reason: reason}, proof.Rejection{Reason: reason, PredicateType: vulnURI})
	}
	e.Rejected = append(e.Rejected, proof.Rejection{Reason: "only 256 were tried", Incomplete: true}, proof.Rejection{Reason: "more than 256", PredicateType: vulnURI, Incomplete: true})
	requirement := compile(t, `{authorities: [{name: a, key: {data: x}}], attestations: [{name: scan, predicateType: vuln}]}`)
	want := []string{
		`not signed by any authority (key "a"): only 256 were tried; a; b; and 2 more reasons`,
		`attestation "scan": missing (` + vulnURI + `): more than 256; a; b; and 2 more reasons`,
	}
	if diff := cmp.Diff(want, requirement.Judge(e, context(t)).Reasons); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
}
