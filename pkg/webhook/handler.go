package webhook

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/utils/clock"
	admissionmetrics "sigs.k8s.io/controller-runtime/pkg/webhook/admission/metrics"

	"github.com/runeframeos/kubectl-rune/pkg/webhook/registration"
)

// Patterns of the endpoints for http.ServeMux.
const (
	mutatePattern   = registration.MutatePath + "{" + environmentKey + "}"
	validatePattern = registration.ValidatePath + "{" + environmentKey + "}"
	environmentKey  = "environment"
)

// answerMargin is kept back from the API server's timeout, so that what caused a delay is told instead of
// lost. A timeout that is shorter than twice the margin is halved.
const answerMargin = time.Second

// Judge answers admission reviews; *admission.Judge is one.
type Judge interface {
	Mutate(ctx context.Context, environment string, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse
	Validate(ctx context.Context, environment string, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse
}

// handlers make the HTTP handlers of both endpoints.
type handlers struct {
	judge   Judge
	metrics *Metrics
	drain   *drain
	clock   clock.PassiveClock
	log     logr.Logger
	// known tells whether an Environment of this name exists, for the metrics: anybody can make up paths.
	known func(ctx context.Context, environment string) bool
	// absent says what is wrong with a path whose Environment does not exist. It is nil where an
	// Environment can be deleted while its entries still are around: there nothing may be refused for it.
	absent func() error
	// further doors besides those for objects.
	further []door
	large   largeReviews
}

// answer judges a request; it never returns nil.
type answer func(ctx context.Context, environment string, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse

// door is one endpoint.
type door struct {
	// pattern for http.ServeMux. Without {environment} in it the door is for all environments, and its judge
	// gets an empty name.
	pattern string
	// phase is the door's name in the metrics.
	phase string
	judge answer
}

// doors are all endpoints. Another one is another line: whatever stands here is bounded, decoded,
// recovered from panics, counted and answered alike.
func (h *handlers) doors() []door {
	return append([]door{
		{pattern: mutatePattern, phase: "mutate", judge: h.judge.Mutate},
		{pattern: validatePattern, phase: "validate", judge: h.judge.Validate},
	}, h.further...)
}

// register puts all endpoints on a server.
func (h *handlers) register(register func(pattern string, handler http.Handler)) {
	for _, door := range h.doors() {
		register(door.pattern, h.handler(door))
	}
}

// handler serves one door. It stands in the place of controller-runtime's, which decodes every review
// several times over.
func (h *handlers) handler(door door) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.drain.begun() {
			// HTTP/2 has no such header, but net/http takes it as the order to send GOAWAY: the API
			// server's long-lived connection moves to another replica before this one ends.
			w.Header().Set("Connection", "close")
		}
		started := h.clock.Now()
		// The server cancels the context at shutdown while it still waits for the answers that depend on it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), budget(r.URL.Query().Get("timeout")))
		defer cancel()
		leave, err := h.large.enter(ctx, r.ContentLength)
		if err != nil {
			h.refuse(w, r, &badRequest{status: http.StatusServiceUnavailable, cause: err})
			return
		}
		defer leave()
		request, bad := readReview(r)
		if bad != nil {
			h.refuse(w, r, bad)
			return
		}
		h.writeReview(w, http.StatusOK, h.answer(ctx, door, r.PathValue(environmentKey), started, request))
	})
}

// refuse answers a review that is not judged.
func (h *handlers) refuse(w http.ResponseWriter, r *http.Request, bad *badRequest) {
	h.log.Error(bad, "refused a review that is not read", "path", r.URL.Path)
	status := bad.status
	if bad.request != nil {
		status = http.StatusOK
	}
	h.writeReview(w, status, errorResponse(bad.request, int32(bad.status), bad)) //nolint:gosec // a status of HTTP
}

// answer judges one request and counts it.
func (h *handlers) answer(ctx context.Context, door door, environment string, started time.Time, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	label, response := environment, (*admissionv1.AdmissionResponse)(nil)
	switch {
	case !strings.Contains(door.pattern, "{"+environmentKey+"}"):
		label = allEnvironments
	case !h.known(ctx, environment):
		label = unknownEnvironment
		if h.absent != nil {
			h.log.Info("refused: the path names no Environment", "environment", environment)
			response = errorResponse(request, http.StatusNotFound, fmt.Errorf("there is no Environment %q: %w", environment, h.absent()))
		}
	}
	if response == nil {
		response = h.ask(ctx, door, environment, request)
	}
	h.metrics.observe(observation{
		environment: label,
		phase:       door.phase,
		operation:   string(request.Operation),
		response:    response,
		duration:    h.clock.Since(started),
	})
	return response
}

// ask makes a denial of a panic, so that a fault of ours lets nothing in and ends no process.
func (h *handlers) ask(ctx context.Context, door door, environment string, request *admissionv1.AdmissionRequest) (response *admissionv1.AdmissionResponse) {
	defer func() {
		if fault := recover(); fault != nil {
			admissionmetrics.WebhookPanics.WithLabelValues().Inc()
			h.log.Error(fmt.Errorf("panic: %v", fault), "a judgement broke off", "request", request.UID, "stack", string(debug.Stack()))
			response = errorResponse(request, http.StatusInternalServerError, fmt.Errorf("panic: %v [recovered]", fault))
		}
	}()
	response = door.judge(ctx, environment, request)
	response.UID = request.UID
	return response
}

// budget is how long an answer may take, given the timeout that the API server puts into the URL.
func budget(timeout string) time.Duration {
	limit, err := time.ParseDuration(timeout)
	if err != nil || limit <= 0 || limit > 30*time.Second {
		limit = registration.TimeoutSeconds * time.Second
	}
	if limit < 2*answerMargin {
		return limit / 2
	}
	return limit - answerMargin
}
