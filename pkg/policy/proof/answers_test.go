package proof_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

func TestWhatConditionsSaidIsKeptOnlyForTheSameQuestion(t *testing.T) {
	requirement := compile(t, twoKeys+`attestations: [{name: x, predicateType: "urn:x", conditions: [{name: c, expression: 'predicate.n == 1 && environment == "production" && image.repository == "team/web" && time < timestamp("2026-11-23T11:00:00Z")', message: m}]}]`)
	base := func() (*proof.Evidence, proof.Context) {
		e := evidence()
		e.Attestations = []proof.Attestation{attested("a by k", "urn:x", `{"n":1}`, noon().Add(-2*time.Hour))}
		return e, context(t)
	}
	tests := map[string]func(*proof.Evidence, *proof.Context){
		"another predicate":   func(e *proof.Evidence, _ *proof.Context) { e.Attestations[0].Predicate = []byte(`{"n":2}`) },
		"another environment": func(_ *proof.Evidence, in *proof.Context) { in.Environment = "staging" },
		"another image":       func(_ *proof.Evidence, in *proof.Context) { in.Image.Repository = "team/other" },
		"another time":        func(e *proof.Evidence, _ *proof.Context) { e.Attestations[0].Time = noon() },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				if e, in := base(); !requirement.Judge(e, in).Satisfied {
					t.Fatal("it does not hold")
				}
				e, in := base()
				change(e, &in)
				if got := strings.Join(requirement.Judge(e, in).Reasons, "; "); got != `attestation "x": condition "c": m` {
					t.Errorf("reasons %q", got)
				}
			}
		})
	}
}

func TestConditionsThatLookAtTheClockAreAskedEachTime(t *testing.T) {
	for _, expression := range []string{
		`now < timestamp("2026-11-23T12:30:00Z")`,
		`.now < timestamp("2026-11-23T12:30:00Z")`,
		`[1].all(x, .now < timestamp("2026-11-23T12:30:00Z"))`,
		`[1].all(now, .now < timestamp("2026-11-23T12:30:00Z"))`,
		`[now].all(now, now < timestamp("2026-11-23T12:30:00Z"))`,
		`[1].all(x, x == 1 && now.getHours() == 12)`,
	} {
		requirement := compile(t, condition("urn:x", expression))
		e := evidence()
		e.Attestations = []proof.Attestation{attested("a by k", "urn:x", `{}`, time.Time{})}
		in := context(t)
		before := requirement.Judge(e, in).Satisfied
		in.Now = noon().Add(time.Hour)
		if after := requirement.Judge(e, in).Satisfied; !before || after {
			t.Errorf("%s holds before: %t, after: %t", expression, before, after)
		}
	}
}

func TestOneRequirementJudgesManyAtTheSameTime(t *testing.T) {
	requirement := compile(t, condition("urn:x", `predicate.n == 1`))
	e := evidence()
	e.Attestations = []proof.Attestation{attested("a by k", "urn:x", `{"n":2}`, time.Time{})}
	want := requirement.Judge(e, context(t))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				got := requirement.Judge(e, context(t))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("outcome (-want +got):\n%s", diff)
				}
				got.Reasons[0], got.Attestations[0].Reasons[0] = "", "" // it belongs to who asked
			}
		})
	}
	group.Wait()
}
