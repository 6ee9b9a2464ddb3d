package events

import (
	"context"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/flowcontrol"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// series is what is known about an Event that was written.
type series struct {
	event *eventsv1.Event
	// count of denials and the time of the last.
	count int32
	last  time.Time
}

// record writes an Event for a denial, or counts it where an equal one was written.
func (r *Recorder) record(ctx context.Context, d denial) {
	if known, found := r.series.Get(d.key); found {
		s := known.(*series)
		if d.at.Sub(s.last) < seriesWindow {
			r.again(s, d.key, d.at)
			return
		}
		r.series.Remove(d.key)
	}
	if !r.allowed(d.key.environment) {
		r.dropped.WithLabelValues(droppedByRate).Inc()
		return
	}
	event := d.event(r.options.Instance)
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := r.options.Writer.Create(ctx, event); err != nil {
		r.failed(err, "writing an Event of a denial", d.key)
		return
	}
	r.series.Add(d.key, &series{event: event, count: 1, last: d.at})
}

// again counts one more denial of a series. Where too many of them wait for their count, this one waits
// for its next denial.
func (r *Recorder) again(s *series, k key, at time.Time) {
	s.count++
	s.last = at
	if len(r.uncounted) < maxSeries {
		r.uncounted[k] = s
	}
}

// flush writes the counts that changed. A series that may not write now is written the next time.
func (r *Recorder) flush(ctx context.Context) {
	for k, s := range r.uncounted {
		if !r.allowed(k.environment) {
			continue
		}
		delete(r.uncounted, k)
		if err := r.patch(ctx, s); err != nil {
			// The Event may have expired: the next denial makes another one.
			r.series.Remove(k)
			r.failed(err, "counting an Event of a denial", k)
		}
	}
}

// patch writes the count of a series. The API server lets nothing else of an Event change.
func (r *Recorder) patch(ctx context.Context, s *series) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	before := s.event.DeepCopy()
	s.event.Series = &eventsv1.EventSeries{Count: s.count, LastObservedTime: metav1.NewMicroTime(s.last)}
	return r.options.Writer.Patch(ctx, s.event, client.MergeFrom(before))
}

// allowed takes a token of the environment and one of all.
func (r *Recorder) allowed(environment string) bool {
	limit, found := r.environments.Get(environment)
	if !found {
		limit = flowcontrol.NewTokenBucketPassiveRateLimiterWithClock(environmentRate, environmentBurst, r.options.Clock)
		r.environments.Add(environment, limit)
	}
	// The environment's comes first: one that is over its rate takes no token from the others.
	return limit.(flowcontrol.PassiveRateLimiter).TryAccept() && r.overall.TryAccept()
}

func (r *Recorder) failed(err error, what string, k key) {
	r.dropped.WithLabelValues(droppedByError).Inc()
	r.options.Log.V(1).Info(what, "cause", err.Error(), "environment", k.environment, "kind", k.kind, "namespace", k.namespace, "name", k.name)
}
