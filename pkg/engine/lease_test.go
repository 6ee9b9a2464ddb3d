package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"
)

// oneLease is a Lease's storage.
type oneLease struct {
	stored  *coordinationv1.Lease
	version int
	down    error
}

func (o *oneLease) store(l *coordinationv1.Lease) *coordinationv1.Lease {
	o.version++
	o.stored = l.DeepCopy()
	o.stored.ResourceVersion = string(rune('a' + o.version))
	o.stored.UID = "u"
	return o.stored.DeepCopy()
}

func (o *oneLease) GetLease(context.Context, string, string) (*coordinationv1.Lease, error) {
	switch {
	case o.down != nil:
		return nil, o.down
	case o.stored == nil:
		return nil, apierrors.NewNotFound(schema.GroupResource{}, "lease")
	}
	return o.stored.DeepCopy(), nil
}

func (o *oneLease) CreateLease(_ context.Context, l *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	return o.store(l), nil
}

func (o *oneLease) UpdateLease(_ context.Context, l *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	if o.down != nil {
		return nil, o.down
	}
	if l.ResourceVersion != o.stored.ResourceVersion {
		return nil, apierrors.NewConflict(schema.GroupResource{}, "lease", errors.New("changed"))
	}
	return o.store(l), nil
}

func (o *oneLease) DeleteLease(context.Context, string, string, Deletion) error {
	o.stored = nil
	return nil
}

func held(t *testing.T, storage *oneLease, clock *clocktesting.FakeClock, who string) *lease {
	t.Helper()
	l := newLease(New(Ports{Leases: storage}, Options{Clock: clock, Identity: who}), "shop", "web")
	if taken, err := l.create(t.Context()); !taken || err != nil {
		t.Fatal(taken, err)
	}
	return l
}

// TestASleeperConfirmsNothing: a driver that wakes up after its Lease went to another may not write.
func TestASleeperConfirmsNothing(t *testing.T) {
	tests := map[string]struct {
		asleep    time.Duration
		meanwhile func(o *oneLease)
		want      error
	}{
		"awake all the time":                     {asleep: time.Second},
		"asleep, and nobody took it":             {asleep: time.Hour},
		"asleep, and another driver took it":     {asleep: time.Hour, meanwhile: taken, want: ErrLeaseLost},
		"a short nap, and another driver has it": {asleep: 6 * time.Second, meanwhile: taken, want: ErrLeaseLost},
		"asleep, and the Lease is gone":          {asleep: time.Hour, meanwhile: func(o *oneLease) { o.stored.ResourceVersion = "x"; o.stored.UID = "other" }, want: ErrLeaseLost},
		"asleep, and the network is down":        {asleep: time.Hour, meanwhile: func(o *oneLease) { o.down = errors.New("no route") }, want: ErrLeaseLost},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			storage, clock := &oneLease{}, clocktesting.NewFakeClock(time.Now())
			l := held(t, storage, clock, "sleeper")
			clock.Step(tt.asleep)
			if tt.meanwhile != nil {
				tt.meanwhile(storage)
			}
			if err := l.confirm(t.Context()); !errors.Is(err, tt.want) {
				t.Errorf("confirm = %v, want %v", err, tt.want)
			}
		})
	}
}

func taken(o *oneLease) {
	other := "other"
	next := o.stored.DeepCopy()
	next.Spec.HolderIdentity = &other
	o.store(next)
}

func TestALabelOnTheLeaseIsNoLoss(t *testing.T) {
	storage, clock := &oneLease{}, clocktesting.NewFakeClock(time.Now())
	l := held(t, storage, clock, "driver")
	clock.Step(6 * time.Second)
	labeled := storage.stored.DeepCopy()
	labeled.Labels = map[string]string{"x": "y"}
	storage.store(labeled)
	if err := l.confirm(t.Context()); err == nil || errors.Is(err, ErrLeaseLost) {
		t.Errorf("first confirm = %v, want an error that is tried again", err)
	}
	if err := l.confirm(t.Context()); err != nil {
		t.Errorf("second confirm = %v", err)
	}
}
