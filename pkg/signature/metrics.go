package signature

import (
	"fmt"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/runeframeos/kubectl-rune/pkg/signature/registry"
	"github.com/runeframeos/kubectl-rune/pkg/signature/verdict"
)

// outcome of one verification, as metrics name it.
type outcome string

// The outcomes.
const (
	// outcomeCached was known.
	outcomeCached outcome = "cached"
	// outcomeVerified was found out.
	outcomeVerified outcome = "verified"
	// outcomeStale was known too long ago, and the registry fails.
	outcomeStale outcome = "stale"
	// outcomeRejected is definitely not verified.
	outcomeRejected outcome = "rejected"
	// outcomeAbsent does not exist.
	outcomeAbsent outcome = "absent"
	// outcomeUnknown could not be told.
	outcomeUnknown outcome = "unknown"
)

// metrics of a Verifier, and its log.
type metrics struct {
	log           logr.Logger
	verifications *prometheus.CounterVec
	duration      prometheus.Histogram
	requests      *prometheus.CounterVec
}

// newMetrics registers them where there is a registerer.
func newMetrics(registerer prometheus.Registerer, book *verdict.Book, log logr.Logger) (*metrics, error) {
	m := &metrics{
		log: log,
		verifications: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rune_image_verifications_total",
			Help: "Images verified against an ImagePolicy, by outcome (cached, verified, stale, rejected, absent, unknown).",
		}, []string{"outcome"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "rune_image_verification_seconds",
			Help:    "Time that it took to verify an image by asking its registry.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rune_registry_requests_total",
			Help: "Requests to registries, by kind (head, manifest, referrers, blob, ping, token, redirect) and outcome.",
		}, []string{"kind", "outcome"}),
	}
	if registerer == nil {
		return m, nil
	}
	verdicts := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "rune_verdicts",
		Help: "Facts about images that are kept in memory: verified digests, what tags named, keys of policies.",
	}, func() float64 { return float64(book.Len()) })
	for _, c := range []prometheus.Collector{m.verifications, m.duration, m.requests, verdicts} {
		if err := registerer.Register(c); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) verified(o outcome) { m.verifications.WithLabelValues(string(o)).Inc() }

func (m *metrics) collected(took time.Duration) { m.duration.Observe(took.Seconds()) }

// request counts what the registry client did.
func (m *metrics) request(r registry.Request) {
	m.requests.WithLabelValues(string(r.Kind), requestOutcome(r.Status)).Inc()
}

// requestOutcome groups the statuses of HTTP; zero is no answer.
func requestOutcome(status int) string {
	switch {
	case status == 0:
		return "no_answer"
	case status < http.StatusBadRequest:
		return "ok"
	case status == http.StatusNotFound:
		return "absent"
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return "refused"
	case status == http.StatusTooManyRequests:
		return "throttled"
	case status < http.StatusInternalServerError:
		return "rejected"
	}
	return "failed"
}
