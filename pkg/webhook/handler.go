package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/utils/clock"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/runeframeos/kubectl-rune/pkg/webhook/registration"
)

// Patterns of the two endpoints for http.ServeMux.
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
}

// errNoRequest is the answer to a body that is JSON and no admission review.
var errNoRequest = errors.New("the body holds no admission request: want an AdmissionReview of admission.k8s.io/v1 with request.uid")

type answer func(ctx context.Context, environment string, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse

// route is what the URL of a request says.
type route struct {
	environment string
	deadline    time.Time
}

type routeKey struct{}

// register puts both endpoints on a server.
func (h *handlers) register(register func(pattern string, handler http.Handler)) {
	register(mutatePattern, h.handler("mutate", h.judge.Mutate))
	register(validatePattern, h.handler("validate", h.judge.Validate))
}

// handler wraps controller-runtime's, which bounds the body (7 MiB), decodes the review, recovers from
// panics and writes the answer.
func (h *handlers) handler(phase string, judge answer) http.Handler {
	hook := &ctrladmission.Webhook{
		Handler: ctrladmission.HandlerFunc(func(ctx context.Context, request ctrladmission.Request) ctrladmission.Response {
			return h.handle(ctx, phase, judge, request)
		}),
		WithContextFunc: h.withRoute,
		LogConstructor: func(_ logr.Logger, request *ctrladmission.Request) logr.Logger {
			if request == nil {
				return h.log
			}
			return h.log.WithValues("request", request.UID)
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.drain.begun() {
			// HTTP/2 has no such header, but net/http takes it as the order to send GOAWAY: the API
			// server's long-lived connection moves to another replica before this one ends.
			w.Header().Set("Connection", "close")
		}
		w.Header().Set("Content-Type", "application/json")
		hook.ServeHTTP(w, r)
	})
}

// withRoute notes the environment and the deadline. The context loses the cancellation of its parent,
// which the server cancels at shutdown while it still waits for the answers that depend on it.
func (h *handlers) withRoute(ctx context.Context, r *http.Request) context.Context {
	return context.WithValue(context.WithoutCancel(ctx), routeKey{}, route{
		environment: r.PathValue(environmentKey),
		deadline:    h.clock.Now().Add(budget(r.URL.Query().Get("timeout"))),
	})
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

func (h *handlers) handle(ctx context.Context, phase string, judge answer, request ctrladmission.Request) ctrladmission.Response {
	if request.UID == "" {
		// Decoding accepts any JSON object; the API server always sets this.
		return ctrladmission.Errored(http.StatusBadRequest, errNoRequest)
	}
	to := ctx.Value(routeKey{}).(route)
	start := h.clock.Now()
	ctx, cancel := context.WithTimeout(ctx, to.deadline.Sub(start))
	defer cancel()
	environment, known := to.environment, h.known(ctx, to.environment)
	if !known {
		environment = unknownEnvironment
	}
	response := h.refuseAbsent(to.environment, known, request)
	if response == nil {
		response = judge(ctx, to.environment, &request.AdmissionRequest)
	}
	h.metrics.observe(observation{
		environment: environment,
		phase:       phase,
		operation:   string(request.Operation),
		response:    response,
		duration:    h.clock.Since(start),
	})
	return ctrladmission.Response{AdmissionResponse: *response}
}

// refuseAbsent returns the denial of a path that names no Environment, nil where the request is to be judged.
func (h *handlers) refuseAbsent(environment string, known bool, request ctrladmission.Request) *admissionv1.AdmissionResponse {
	if known || h.absent == nil {
		return nil
	}
	h.log.Info("refused: the path names no Environment", "environment", environment)
	response := ctrladmission.Errored(http.StatusNotFound, fmt.Errorf("there is no Environment %q: %w", environment, h.absent()))
	response.UID = request.UID
	return &response.AdmissionResponse
}
