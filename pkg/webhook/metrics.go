package webhook

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
)

const (
	// unknownEnvironment stands in metrics for every name that no Environment has.
	unknownEnvironment = "unknown"
	// allEnvironments stands there for doors that are not one Environment's.
	allEnvironments = "all"
)

// Metrics counts admission requests.
type Metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

// NewMetrics registers the metrics.
func NewMetrics(registerer prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rune_admission_requests_total",
			Help: "Admission requests answered, by environment, verdict, operation of the API server and phase (mutate, validate).",
		}, []string{"environment", "verdict", "operation", "phase"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rune_admission_request_duration_seconds",
			Help: "Time that the webhook took to answer an admission request.",
			// From an answer without work to the API server's patience.
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"environment", "phase"}),
	}
	for _, collector := range []prometheus.Collector{m.requests, m.duration} {
		if err := registerer.Register(collector); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	return m, nil
}

// observation is one answered request.
type observation struct {
	environment, phase, operation string
	response                      *admissionv1.AdmissionResponse
	duration                      time.Duration
}

func (m *Metrics) observe(o observation) {
	m.requests.WithLabelValues(o.environment, verdict(o.response), operation(o.operation), o.phase).Inc()
	m.duration.WithLabelValues(o.environment, o.phase).Observe(o.duration.Seconds())
}

// verdict is the one that package admission also writes into the audit annotation.
func verdict(response *admissionv1.AdmissionResponse) string {
	if verdict := response.AuditAnnotations[admission.AuditVerdict]; verdict != "" {
		return verdict
	}
	if response.Allowed {
		return admission.VerdictAllowed
	}
	return admission.VerdictDenied
}

// operation keeps what a client made up out of the labels.
func operation(name string) string {
	switch op := admissionv1.Operation(name); op {
	case admissionv1.Create, admissionv1.Update, admissionv1.Delete, admissionv1.Connect:
		return string(op)
	default:
		return "other"
	}
}
