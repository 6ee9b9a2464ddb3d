package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// smokeEvery is the time between two runs of the smoke tests during a watch.
const smokeEvery = 5 * time.Second

// watch lets time pass while the new pods are judged.
type watch struct {
	irreversible
	name     string
	duration time.Duration
}

func (w watch) apply(ctx context.Context, d *driver) (progress, error) {
	_, canary, err := d.sides(ctx)
	if err != nil {
		return progress{}, err
	}
	if why, err := d.judgePods(ctx, canary); err != nil || why != "" {
		return progress{after: poll, why: why}, err
	}
	now := d.opts.Clock.Now()
	left := d.started(w.name).Add(w.duration).Sub(now)
	if last := d.smoked[w.name]; last.IsZero() || left <= 0 || now.Sub(last) >= min(smokeEvery, w.duration/2) {
		ready, err := d.smoke(ctx)
		if err != nil || !ready {
			return progress{after: poll, why: "the preview Service has no endpoints"}, err
		}
		d.smoked[w.name] = now
	}
	if left > 0 {
		return progress{after: min(left, time.Second, max(w.duration/4, poll)), why: fmt.Sprintf("watching for %s", w.duration)}, nil
	}
	return done("watched for %s", w.duration)
}

// started is when a step was begun, by this driver or an earlier one.
func (d *driver) started(name string) time.Time {
	for _, s := range d.rel.Status.Steps {
		if s.Name == name && s.StartedAt != nil {
			return s.StartedAt.Time
		}
	}
	return d.opts.Clock.Now()
}

// verify runs the smoke tests a last time, with all traffic on the new template.
type verify struct{ irreversible }

func (verify) apply(ctx context.Context, d *driver) (progress, error) {
	stable, err := d.stable(ctx)
	if err != nil {
		return progress{}, err
	}
	if stable.Template.Hash != d.rel.To.Hash {
		return progress{}, d.drift(stable, "was given another pod template by another hand")
	}
	if why, err := d.judgePods(ctx, stable); err != nil || why != "" {
		return progress{after: poll, why: why}, err
	}
	ready, err := d.smoke(ctx)
	if err != nil || !ready {
		return progress{after: poll, why: "the preview Service has no endpoints yet"}, err
	}
	return done("all smoke tests passed")
}

// preview makes the preview Service of the Deployment's own new pods.
type preview struct{ reversible }

func (preview) apply(ctx context.Context, d *driver) (progress, error) {
	stable, err := d.stable(ctx)
	if err != nil {
		return progress{}, err
	}
	set, err := d.newSet(ctx, stable)
	if err != nil {
		return progress{}, err
	}
	if set == nil {
		return wait("Deployment %q has no ReplicaSet of the new template yet", stable.Name)
	}
	if err := d.ensureService(ctx, stable, release.PodHash(set)); err != nil {
		return progress{}, err
	}
	return done("created the preview Service %q", d.rel.Name)
}

func (preview) revert(ctx context.Context, d *driver) (progress, error) {
	return d.removeService(ctx)
}

// cleanUp removes the preview Service after the last smoke test.
type cleanUp struct{ irreversible }

func (cleanUp) apply(ctx context.Context, d *driver) (progress, error) {
	return d.removeService(ctx)
}
