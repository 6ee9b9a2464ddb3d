package registry

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clocktesting "k8s.io/utils/clock/testing"
)

func TestBreakerPausesLongerEachTime(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Now())
	b := &breaker{clock: clock}
	cause := errors.New("down")
	for range failuresToOpen {
		permit, err := b.allow()
		if err != nil {
			t.Fatal(err)
		}
		b.done(permit, failing, cause)
	}
	var pauses []time.Duration
	for range 8 {
		var paused *pausedError
		if _, err := b.allow(); !errors.As(err, &paused) || !errors.Is(err, cause) {
			t.Fatalf("allow = %v, want a pause with its cause", err)
		}
		pauses = append(pauses, paused.remaining)
		clock.Step(paused.remaining)
		probe, err := b.allow()
		if err != nil {
			t.Fatalf("no probe after the pause: %v", err)
		}
		if _, err := b.allow(); !errors.As(err, &paused) || paused.remaining != 0 {
			t.Fatalf("a second probe at once: %v", err)
		}
		b.done(probe, failing, cause)
	}
	want := []time.Duration{1 * time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second, 30 * time.Second}
	if diff := cmp.Diff(want, pauses); diff != "" {
		t.Errorf("pauses (-want +got):\n%s", diff)
	}
}

func TestBreakerOutcomes(t *testing.T) {
	open := []outcome{failing, failing, failing}
	tests := map[string]struct {
		outcomes []outcome
		open     bool
	}{
		"three failures in a row open it":               {outcomes: open, open: true},
		"two do not":                                    {outcomes: open[:2]},
		"an answer between them resets the count":       {outcomes: []outcome{failing, failing, healthy, failing, failing}},
		"an asker that went away says nothing":          {outcomes: []outcome{failing, failing, unknown, failing}, open: true},
		"askers that went away never open it":           {outcomes: []outcome{unknown, unknown, unknown, unknown}},
		"an answer to an earlier request closes it":     {outcomes: append(open, healthy)},
		"failures of earlier requests do not extend it": {outcomes: append(open, failing, failing), open: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			clock := clocktesting.NewFakeClock(time.Now())
			b := &breaker{clock: clock}
			for _, result := range tt.outcomes {
				b.done(ticket{}, result, errors.New("down"))
			}
			_, err := b.allow()
			if (err != nil) != tt.open {
				t.Fatalf("allow = %v, want open: %t", err, tt.open)
			}
			clock.Step(firstPause)
			if _, err := b.allow(); err != nil {
				t.Errorf("after the first pause: %v", err)
			}
		})
	}
}

func TestBreakerGivesTheProbeToTheNextOneWhereItsAskerWentAway(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Now())
	b := &breaker{clock: clock}
	for range failuresToOpen {
		b.done(ticket{}, failing, errors.New("down"))
	}
	clock.Step(firstPause)
	probe, err := b.allow()
	if err != nil {
		t.Fatal(err)
	}
	b.done(probe, unknown, nil)
	if probe, err = b.allow(); err != nil {
		t.Fatalf("the next probe: %v", err)
	}
	b.done(probe, healthy, nil)
	for range 2 {
		if _, err := b.allow(); err != nil {
			t.Errorf("after a probe that was answered: %v", err)
		}
	}
}
