package events

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
)

// Bounds of what is kept and written.
const (
	// queueSize bounds the denials that wait for the writer.
	queueSize = 256
	// environmentRate and environmentBurst bound the writes per second for one Environment.
	environmentRate, environmentBurst = 1, 25
	// overallRate and overallBurst bound the writes per second for all of them.
	overallRate, overallBurst = 5, 50
	// maxEnvironments and maxSeries bound the memory: what was used least recently is forgotten.
	maxEnvironments, maxSeries = 1024, 2048
	// seriesWindow is how long after its last denial a series goes on. API servers keep Events for an hour.
	seriesWindow = 10 * time.Minute
	// flushInterval is how often the counts of series are written.
	flushInterval = 30 * time.Second
	// writeTimeout of one request to the API server.
	writeTimeout = 5 * time.Second
)

// Reasons for which a denial makes no Event.
const (
	droppedByQueue = "queue"
	droppedByRate  = "rate"
	droppedByError = "error"
)

// Options of a Recorder.
type Options struct {
	Writer client.Writer
	Clock  clock.WithTicker
	Log    logr.Logger
	// Instance is who reports: the name of the pod or host.
	Instance string
	// Registerer of the metrics.
	Registerer prometheus.Registerer
}

// Recorder implements admission.Recorder and manager.Runnable.
type Recorder struct {
	options Options
	queue   chan denial
	dropped *prometheus.CounterVec

	// The rest belongs to the one goroutine of Start.
	overall      flowcontrol.PassiveRateLimiter
	environments *lru.Cache
	series       *lru.Cache
	// uncounted are the series whose Events tell of fewer denials than there were.
	uncounted map[key]*series
}

// NewRecorder returns a Recorder that writes nothing until it is started.
func NewRecorder(options Options) (*Recorder, error) {
	r := &Recorder{
		options: options,
		queue:   make(chan denial, queueSize),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rune_admission_events_dropped_total",
			Help: "Denials that no Event tells of, by reason: the queue was full, the rate was exceeded, the API server refused.",
		}, []string{"reason"}),
		overall:      flowcontrol.NewTokenBucketPassiveRateLimiterWithClock(overallRate, overallBurst, options.Clock),
		environments: lru.New(maxEnvironments),
		series:       lru.New(maxSeries),
		uncounted:    map[key]*series{},
	}
	for _, reason := range []string{droppedByQueue, droppedByRate, droppedByError} {
		r.dropped.WithLabelValues(reason)
	}
	if err := options.Registerer.Register(r.dropped); err != nil {
		return nil, fmt.Errorf("registering metrics: %w", err)
	}
	return r, nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: every replica denies, so every one records.
func (r *Recorder) NeedLeaderElection() bool { return false }

// Denied implements admission.Recorder. It never blocks: a denial that finds the queue full is counted only.
func (r *Recorder) Denied(_ context.Context, d admission.Denial) {
	if d.Request == nil || (d.Request.DryRun != nil && *d.Request.DryRun) {
		return
	}
	select {
	case r.queue <- newDenial(d, r.options.Clock.Now()):
	default:
		r.dropped.WithLabelValues(droppedByQueue).Inc()
	}
}

// Start writes Events until ctx ends, and the counts of series now and then. What waits then is lost:
// a webhook that was told to stop has better things to do.
func (r *Recorder) Start(ctx context.Context) error {
	ticker := r.options.Clock.NewTicker(flushInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case d := <-r.queue:
			r.record(ctx, d)
		case <-ticker.C():
			r.flush(ctx)
		}
	}
}
