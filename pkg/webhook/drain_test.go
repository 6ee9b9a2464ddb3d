package webhook

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-logr/logr"
	clocktesting "k8s.io/utils/clock/testing"
)

// eventually waits for a condition that another goroutine brings about.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("waiting until %s: not within 10s", what)
		case <-tick.C:
		}
	}
}

func TestServingGoesOnWhileDraining(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	ctx, stop := context.WithCancel(t.Context())
	d := &drain{}
	later, cancel := d.after(ctx, 10*time.Second, clock, logr.Discard())
	defer cancel()
	if err := d.check(nil); err != nil {
		t.Errorf("not ready before the stop: %v", err)
	}
	stop()
	eventually(t, "the delay runs", clock.HasWaiters)
	if err := d.check(nil); !errors.Is(err, errDraining) {
		t.Errorf("readiness while draining: %v", err)
	}
	clock.Step(9 * time.Second)
	if later.Err() != nil {
		t.Fatal("the servers were stopped before the delay was over")
	}
	clock.Step(time.Second)
	eventually(t, "the servers are stopped", func() bool { return later.Err() != nil })
}

func TestWithoutDelayTheServersStopAtOnce(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	later, cancel := (&drain{}).after(ctx, 0, clocktesting.NewFakeClock(time.Now()), logr.Discard())
	defer cancel()
	stop()
	eventually(t, "the servers are stopped", func() bool { return later.Err() != nil })
}
