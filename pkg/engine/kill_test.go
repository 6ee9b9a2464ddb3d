package engine_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
)

func scenarios() map[string]scenario {
	canary := func(s scenario) scenario {
		s.strategy, s.action = v1alpha1.StrategyCanary, v1alpha1.ActionCanary
		return s
	}
	rolling := func(s scenario) scenario {
		s.strategy, s.action = v1alpha1.StrategyRolling, v1alpha1.ActionRollback
		return s
	}
	create := func(s scenario) scenario {
		s.strategy, s.action = v1alpha1.StrategyCreate, v1alpha1.ActionPromote
		return s
	}
	return map[string]scenario{
		"a canary finishes by adoption":                       canary(scenario{image: "web:v2", steps: []int{20, -3, 75}, want: engine.OutcomeSucceeded, running: "web:v2"}),
		"a canary of a template in the history is adopted":    canary(scenario{image: "web:v2", steps: []int{50}, prepare: history("web:v2"), want: engine.OutcomeSucceeded, running: "web:v2"}),
		"a canary whose smoke test fails is taken back":       canary(scenario{image: "web:bad", steps: []int{20, -3}, want: engine.OutcomeRolledBack, running: "web:v1"}),
		"a canary that cannot be pulled is taken back":        canary(scenario{image: "web:missing", steps: []int{50}, want: engine.OutcomeRolledBack, running: "web:v1"}),
		"a canary is aborted while it is watched":             canary(scenario{image: "web:v2", steps: []int{80, -3}, abortAt: "watch-3s", want: engine.OutcomeRolledBack, running: "web:v1"}),
		"a canary is aborted while it is being adopted":       canary(scenario{image: "web:v2", steps: []int{20}, abortAt: "adopt", want: engine.OutcomeRolledBack, running: "web:v1"}),
		"a canary is aborted after its adoption":              canary(scenario{image: "web:v2", steps: []int{20}, abortAt: "verify", want: engine.OutcomeRolledBack, running: "web:v1"}),
		"a rollback rolls":                                    rolling(scenario{image: "web:v0", want: engine.OutcomeSucceeded, running: "web:v0"}),
		"a rollback that cannot be pulled is taken back":      rolling(scenario{image: "web:missing", want: engine.OutcomeRolledBack, running: "web:v1"}),
		"a workload is created":                               create(scenario{image: "web:v1", want: engine.OutcomeSucceeded, running: "web:v1"}),
		"a created workload whose smoke test fails goes away": create(scenario{image: "web:bad", want: engine.OutcomeRolledBack}),
	}
}

func writes(call string) bool {
	verb, _, _ := strings.Cut(call, " ")
	return verb != "get" && verb != "list" && verb != "probe"
}

// history leaves an empty ReplicaSet of an earlier revision behind.
func history(image string) func(m *model) {
	return func(m *model) {
		d := m.deployments["web"]
		past := copyOf(d)
		past.Spec.Template.Spec.Containers[0].Image = image
		m.newSet(past)
	}
}

// TestKilledDriversAreFinishedByTheNext kills a driver at each of its calls, before and after the call
// took effect, and lets another one go on: the end is always that of the run that nobody disturbed.
func TestKilledDriversAreFinishedByTheNext(t *testing.T) {
	var total atomic.Int64
	t.Cleanup(func() {
		t.Logf("%d kill points", total.Load())
		if total.Load() < 500 {
			t.Errorf("only %d kill points: the scenarios lost their calls", total.Load())
		}
	})
	for name, s := range scenarios() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var want string
			var calls []string
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, s)
				result, p, err := w.run(0, false)
				if err != nil {
					t.Fatal(err)
				}
				checkEnd(t, w, s, result)
				want, calls = w.state(), p.client.log
			})
			for i, call := range calls {
				for _, after := range []bool{false, true} {
					if after && !writes(call) {
						continue // to die after a read is to die before the next call
					}
					synctest.Test(t, func(t *testing.T) { killed(t, s, i+1, after, want) })
					total.Add(1)
				}
			}
		})
	}
}

func killed(t *testing.T, s scenario, call int, after bool, want string) {
	w := newWorld(t, s)
	_, p, err := w.run(call, after)
	if !p.client.dead {
		t.Fatalf("the driver did not die at call %d", call)
	}
	if err == nil && !w.m.releases[w.rel.Name].Ended() {
		t.Fatalf("a driver killed at call %d reported an end", call)
	}
	what := p.client.log[len(p.client.log)-1]
	result, p2, err := w.run(0, false)
	if err != nil {
		t.Fatalf("killed at call %d (%s, after %t): going on: %v", call, what, after, err)
	}
	if result.Outcome != s.want {
		t.Errorf("killed at call %d (%s, after %t): outcome %s (%s), want %s", call, what, after, result.Outcome, result.Message, s.want)
	}
	if diff := cmp.Diff(want, w.state()); diff != "" {
		t.Errorf("killed at call %d (%s, after %t): the end differs (-undisturbed +resumed):\n%s\nlast calls: %v", call, what, after, diff, tail(p2.client.log))
	}
	capacity(t, w, s)
}

func tail(log []string) []string {
	return log[max(0, len(log)-12):]
}

func checkEnd(t *testing.T, w *world, s scenario, result engine.Result) {
	t.Helper()
	if result.Outcome != s.want {
		t.Fatalf("outcome %s (%s), want %s", result.Outcome, result.Message, s.want)
	}
	d := w.m.deployments["web"]
	switch {
	case s.running == "" && d != nil:
		t.Errorf("the workload is still there")
	case s.running != "" && (d == nil || d.Spec.Template.Spec.Containers[0].Image != s.running):
		t.Errorf("the workload does not have image %s", s.running)
	}
	capacity(t, w, s)
	if s.want == engine.OutcomeSucceeded && s.strategy == v1alpha1.StrategyCanary && w.m.started[s.image] != replicas {
		t.Errorf("%d pods of the new template were started, want %d: none twice", w.m.started[s.image], replicas)
	}
}

// capacity checks that a canary never took ready pods away, and any other release no more than the
// Deployment's own strategy allows.
func capacity(t *testing.T, w *world, s scenario) {
	t.Helper()
	least := replicas
	if s.strategy != v1alpha1.StrategyCanary || s.abortAt == "verify" || s.abortAt == "adopt" {
		least = replicas - replicas/4
	}
	if s.strategy != v1alpha1.StrategyCreate && w.m.fewest < least {
		t.Errorf("only %d pods were ready at a moment, want %d at least", w.m.fewest, least)
	}
}

func TestTwoDriversNeverWriteAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := scenarios()["a canary finishes by adoption"]
		w := newWorld(t, s)
		first := make(chan error, 1)
		go func() {
			_, _, err := w.run(0, false)
			first <- err
		}()
		synctest.Wait()
		_, _, err := w.run(0, false)
		var held *engine.HeldError
		if !errors.As(err, &held) {
			t.Errorf("the second driver got %v, want a HeldError", err)
		}
		if err := <-first; err != nil {
			t.Errorf("the first driver: %v", err)
		}
	})
}
