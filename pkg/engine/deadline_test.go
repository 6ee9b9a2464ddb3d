package engine_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
)

func TestTheDeadlineTakesAReleaseBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := scenarios()["a canary finishes by adoption"]
		s.steps = []int{20, -7200}
		w := newWorld(t, s)
		result, _, err := w.run(0, false)
		if err != nil || result.Outcome != engine.OutcomeRolledBack || !result.TimedOut {
			t.Errorf("outcome %s (%s), timed out %t, %v", result.Outcome, result.Message, result.TimedOut, err)
		}
		if took := time.Since(w.rel.CreationTimestamp.Time); took > time.Hour+time.Minute {
			t.Errorf("it took %s with a deadline of 1h", took)
		}
	})
}

// TestTheDeadlineLeavesOutTheWaitForApproval: it counts from the start of driving.
func TestTheDeadlineLeavesOutTheWaitForApproval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, scenarios()["a canary finishes by adoption"])
		w.m.environment = &v1alpha1.Environment{}
		w.m.environment.Spec.Rules.Approval = &v1alpha1.ApprovalRules{MinApprovals: 1}
		w.m.releases[w.rel.Name].Spec.Environment = "production"
		result, _, err := w.run(0, false)
		if err != nil || result.Outcome != engine.OutcomeAwaitingApproval {
			t.Fatalf("outcome %s, %v", result.Outcome, err)
		}
		time.Sleep(5 * time.Hour) //nolint:forbidigo // the bubble's clock, not the machine's
		approval := v1alpha1.Approval{}
		approval.Spec.Release = v1alpha1.ReleaseReference{Name: w.rel.Name, UID: w.rel.UID}
		approval.Spec.Approver.Username, approval.Spec.Seal = "bob", "v1:x"
		w.m.approvals = []v1alpha1.Approval{approval}
		result, _, err = w.run(0, false)
		if err != nil || result.Outcome != engine.OutcomeSucceeded {
			t.Errorf("approved after the deadline's length: outcome %s (%s), %v", result.Outcome, result.Message, err)
		}
	})
}

// TestAWatchBeginsAnewUnderAnotherDriver: the time in which nobody watched does not count.
func TestAWatchBeginsAnewUnderAnotherDriver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := scenarios()["a canary finishes by adoption"]
		s.steps = []int{20, -60}
		w := newWorld(t, s)
		e, p := w.driver(t.Context(), 0, false)
		w.hook = func(ev engine.Event) {
			if ev.Type == engine.EventWaiting && ev.Step == "watch-1m0s" {
				p.client.die()
			}
		}
		if _, err := e.Run(p.ctx, w.rel); err == nil {
			t.Fatal("the driver did not die")
		}
		w.hook = nil
		time.Sleep(10 * time.Minute) //nolint:forbidigo // the bubble's clock, not the machine's
		resumed := time.Now()
		result, _, err := w.run(0, false)
		if err != nil || result.Outcome != engine.OutcomeSucceeded {
			t.Fatalf("outcome %s (%s), %v", result.Outcome, result.Message, err)
		}
		for _, step := range result.Release.Status.Steps {
			if step.Name == "watch-1m0s" && step.FinishedAt.Sub(resumed) < time.Minute {
				t.Errorf("the new pods were watched for %s only", step.FinishedAt.Sub(resumed))
			}
		}
	})
}
