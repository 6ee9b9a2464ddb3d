package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// lease keeps a second driver out. As client-go's leader election does, it never compares another
// machine's clock with its own: a Lease has expired when its record was seen unchanged for its whole
// duration on the local clock.
type lease struct {
	port      Leases
	clock     clock.Clock
	namespace string
	name      string
	identity  string
	duration  time.Duration

	mu      sync.Mutex
	held    *coordinationv1.Lease
	renewed time.Time
	lost    bool
}

func newLease(e *Engine, namespace, workload string) *lease {
	return &lease{
		port: e.ports.Leases, clock: e.opts.Clock, namespace: namespace, name: release.LeaseName(workload),
		identity: e.opts.Identity, duration: e.opts.LeaseDuration,
	}
}

// acquire takes the Lease once nobody renews it. It returns the holder's name where the Lease is
// renewed while it looks, and calls waiting once before it waits.
func (l *lease) acquire(ctx context.Context, waiting func(holder string)) (holder string, err error) {
	var seen *coordinationv1.Lease
	var since time.Time
	for {
		current, err := l.port.GetLease(ctx, l.namespace, l.name)
		switch {
		case apierrors.IsNotFound(err):
			if taken, err := l.create(ctx); taken || err != nil {
				return "", err
			}
			continue
		case err != nil:
			return "", fmt.Errorf("reading Lease %q: %w", l.name, err)
		}
		now := l.clock.Now()
		switch {
		case l.free(current) || (seen != nil && same(seen, current) && now.Sub(since) >= durationOf(current)):
			taken, err := l.take(ctx, current)
			if taken || err != nil {
				return "", err
			}
			continue
		case seen == nil:
			seen, since = current, now
			waiting(*current.Spec.HolderIdentity)
		case !same(seen, current):
			return *current.Spec.HolderIdentity, nil
		}
		if err := pause(ctx, l.clock, l.duration/20); err != nil {
			return "", err
		}
	}
}

func (l *lease) free(current *coordinationv1.Lease) bool {
	h := current.Spec.HolderIdentity
	return h == nil || *h == "" || *h == l.identity
}

func same(a, b *coordinationv1.Lease) bool {
	return a.UID == b.UID && a.ResourceVersion == b.ResourceVersion
}

func durationOf(current *coordinationv1.Lease) time.Duration {
	if s := current.Spec.LeaseDurationSeconds; s != nil && *s > 0 {
		return time.Duration(*s) * time.Second
	}
	return DefaultLeaseDuration
}

func (l *lease) spec(sent time.Time, transitions int32) coordinationv1.LeaseSpec {
	seconds := int32((l.duration + time.Second - 1) / time.Second) //nolint:gosec // seconds of a Lease
	at := metav1.NewMicroTime(sent)
	return coordinationv1.LeaseSpec{
		HolderIdentity: &l.identity, LeaseDurationSeconds: &seconds, AcquireTime: &at, RenewTime: &at, LeaseTransitions: &transitions,
	}
}

func (l *lease) create(ctx context.Context) (bool, error) {
	sent := l.clock.Now()
	created, err := l.port.CreateLease(ctx, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: l.namespace, Name: l.name},
		Spec:       l.spec(sent, 0),
	})
	if apierrors.IsAlreadyExists(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("creating Lease %q: %w", l.name, err)
	}
	l.hold(created, sent)
	return true, nil
}

func (l *lease) take(ctx context.Context, current *coordinationv1.Lease) (bool, error) {
	wanted := current.DeepCopy()
	var transitions int32
	if t := current.Spec.LeaseTransitions; t != nil {
		transitions = *t + 1
	}
	sent := l.clock.Now()
	wanted.Spec = l.spec(sent, transitions)
	updated, err := l.port.UpdateLease(ctx, wanted)
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("taking Lease %q: %w", l.name, err)
	}
	l.hold(updated, sent)
	return true, nil
}

func (l *lease) hold(current *coordinationv1.Lease, sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held, l.renewed, l.lost = current, sent, false
}

// keep renews the Lease until ctx ends, and calls lost when another driver has it or it could not be
// renewed in time.
func (l *lease) keep(ctx context.Context, lost func()) {
	for {
		if pause(ctx, l.clock, l.duration/4) != nil {
			return
		}
		if err := l.renew(ctx); err != nil && ctx.Err() == nil && l.gone() {
			lost()
			return
		}
	}
}

func (l *lease) gone() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost || l.age() >= l.duration
}

// age is how long ago the Lease was renewed by the clock on the wall: the monotonic clock stands still
// while a laptop sleeps.
func (l *lease) age() time.Duration {
	return max(l.clock.Now().Round(0).Sub(l.renewed.Round(0)), l.clock.Since(l.renewed))
}

// confirm returns an error unless this driver holds the Lease for long enough to send one write. It is
// called between reading an object and writing it with the resourceVersion that was read.
func (l *lease) confirm(ctx context.Context) error {
	l.mu.Lock()
	fresh := !l.lost && l.held != nil && l.age() < l.duration/2
	l.mu.Unlock()
	if fresh {
		return nil
	}
	if err := l.renew(ctx); err != nil {
		if l.gone() {
			return ErrLeaseLost
		}
		return err
	}
	return nil
}

// check asks the cluster whose the Lease is, after a write met a conflict. A transient error is no loss:
// the next confirm asks again.
func (l *lease) check(ctx context.Context) error {
	if err := l.renew(ctx); err != nil && l.gone() {
		return ErrLeaseLost
	}
	return nil
}

func (l *lease) renew(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost || l.held == nil {
		return ErrLeaseLost
	}
	sent := l.clock.Now()
	wanted := l.held.DeepCopy()
	at := metav1.NewMicroTime(sent)
	wanted.Spec.RenewTime = &at
	ctx, cancel := context.WithTimeout(ctx, l.duration/2)
	defer cancel()
	updated, err := l.port.UpdateLease(ctx, wanted)
	switch {
	case err == nil:
		l.held, l.renewed = updated, sent
		return nil
	case apierrors.IsConflict(err) || apierrors.IsNotFound(err):
		return l.look(ctx, err)
	default:
		return fmt.Errorf("renewing Lease %q: %w", l.name, err)
	}
}

// look finds out after a conflict whose the Lease is. A label that somebody put on it is no loss.
func (l *lease) look(ctx context.Context, cause error) error {
	current, err := l.port.GetLease(ctx, l.namespace, l.name)
	switch {
	case err != nil && !apierrors.IsNotFound(err):
		return fmt.Errorf("reading Lease %q: %w", l.name, err)
	case err == nil && current.UID == l.held.UID && current.Spec.HolderIdentity != nil && *current.Spec.HolderIdentity == l.identity:
		l.held = current
		return fmt.Errorf("renewing Lease %q: %w", l.name, cause)
	default:
		l.lost = true
		return ErrLeaseLost
	}
}

// end gives the Lease up: it is deleted when the release has ended, else left without a holder so that
// a resume need not wait. Failing is harmless, the Lease then expires.
func (l *lease) end(ctx context.Context, remove bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost || l.held == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.duration/2)
	defer cancel()
	if remove {
		_ = l.port.DeleteLease(ctx, l.namespace, l.name, Deletion{UID: l.held.UID, ResourceVersion: l.held.ResourceVersion})
	} else {
		wanted := l.held.DeepCopy()
		nobody := ""
		wanted.Spec.HolderIdentity = &nobody
		_, _ = l.port.UpdateLease(ctx, wanted)
	}
	l.held = nil
}

// pause waits on a clock until a duration has passed or ctx ends.
func pause(ctx context.Context, c clock.Clock, d time.Duration) error {
	timer := c.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C():
		return nil
	}
}
