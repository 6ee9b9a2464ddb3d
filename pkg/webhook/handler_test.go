package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
)

// judge is a fake that notes what it was asked.
type judge struct {
	phase, environment string
	request            *admissionv1.AdmissionRequest
	left               time.Duration
	answer             func(ctx context.Context) *admissionv1.AdmissionResponse
}

func (j *judge) note(ctx context.Context, phase, environment string, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	j.phase, j.environment, j.request = phase, environment, request
	if deadline, ok := ctx.Deadline(); ok {
		j.left = time.Until(deadline)
	}
	return j.answer(ctx)
}

func (j *judge) Mutate(ctx context.Context, environment string, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	return j.note(ctx, "mutate", environment, request)
}

func (j *judge) Validate(ctx context.Context, environment string, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	return j.note(ctx, "validate", environment, request)
}

func allow(context.Context) *admissionv1.AdmissionResponse {
	return &admissionv1.AdmissionResponse{Allowed: true}
}

// endpoint is a handler with its fakes, as a server would mount it.
type endpoint struct {
	judge    *judge
	handlers *handlers
	registry *prometheus.Registry
	mux      *http.ServeMux
}

func newEndpoint(t *testing.T) *endpoint {
	t.Helper()
	e := &endpoint{judge: &judge{answer: allow}, registry: prometheus.NewPedanticRegistry(), mux: http.NewServeMux()}
	metrics, err := NewMetrics(e.registry)
	if err != nil {
		t.Fatal(err)
	}
	e.handlers = &handlers{
		judge: e.judge, metrics: metrics, drain: &drain{}, log: logr.Discard(),
		clock: clocktesting.NewFakePassiveClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)),
		known: func(_ context.Context, environment string) bool { return environment == "production" },
	}
	e.handlers.register(e.mux.Handle)
	return e
}

func review(t *testing.T) []byte {
	t.Helper()
	body, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request:  &admissionv1.AdmissionRequest{UID: types.UID("u-1"), Name: "web", Operation: admissionv1.Create},
	})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func (e *endpoint) post(t *testing.T, target string, body []byte) (*httptest.ResponseRecorder, *admissionv1.AdmissionResponse) {
	t.Helper()
	request := httptest.NewRequest(http.MethodPost, target, bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	e.mux.ServeHTTP(recorder, request)
	var answer admissionv1.AdmissionReview
	if recorder.Code == http.StatusOK {
		if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
			t.Fatalf("answer %q: %v", recorder.Body, err)
		}
	}
	return recorder, answer.Response
}

func TestPathChoosesPhaseAndEnvironment(t *testing.T) {
	for target, want := range map[string]string{
		"/mutate/production?timeout=10s": "mutate production",
		"/validate/eu.staging-1":         "validate eu.staging-1",
	} {
		e := newEndpoint(t)
		_, response := e.post(t, target, review(t))
		if got := e.judge.phase + " " + e.judge.environment; got != want {
			t.Errorf("%s: judged as %q, want %q", target, got, want)
		}
		if response == nil || !response.Allowed || response.UID != "u-1" {
			t.Errorf("%s: response %+v", target, response)
		}
	}
	for _, target := range []string{"/mutate/", "/validate", "/", "/validate/a/b"} {
		if recorder, _ := newEndpoint(t).post(t, target, review(t)); recorder.Code == http.StatusOK {
			t.Errorf("%s is served", target)
		}
	}
}

// In a cluster an Environment may be deleted while API servers still know its entries: the judge decides.
func TestUnknownEnvironmentIsLeftToTheJudgeUnlessNoneCanVanish(t *testing.T) {
	e := newEndpoint(t)
	if _, response := e.post(t, "/validate/gone", review(t)); !response.Allowed || e.judge.environment != "gone" {
		t.Errorf("with an API server: %+v", response)
	}
	e = newEndpoint(t)
	e.handlers.absent = func() error { return errors.New(`it holds "production"`) }
	_, response := e.post(t, "/mutate/gone", review(t))
	if response.Allowed || response.Result.Code != http.StatusNotFound || response.UID != "u-1" || e.judge.request != nil {
		t.Errorf("from files: %+v", response)
	}
	if _, response := e.post(t, "/mutate/production", review(t)); !response.Allowed {
		t.Errorf("from files, an Environment that exists: %+v", response)
	}
}

func TestDeadlineLeavesTimeToAnswer(t *testing.T) {
	for timeout, want := range map[string]time.Duration{
		"10s": 9 * time.Second, "2s": time.Second, "1s": 500 * time.Millisecond, "": 9 * time.Second,
		"x": 9 * time.Second, "-1s": 9 * time.Second, "10h": 9 * time.Second, "30s": 29 * time.Second,
	} {
		if got := budget(timeout); got != want {
			t.Errorf("timeout %q: %s, want %s", timeout, got, want)
		}
	}
	e := newEndpoint(t)
	e.post(t, "/validate/production?timeout=5s", review(t))
	if e.judge.left <= 3*time.Second || e.judge.left > 4*time.Second {
		t.Errorf("the judge has %s of 5s", e.judge.left)
	}
}

func TestAnswerOutlivesTheServersContext(t *testing.T) {
	e := newEndpoint(t)
	e.judge.answer = func(ctx context.Context) *admissionv1.AdmissionResponse {
		return &admissionv1.AdmissionResponse{Allowed: ctx.Err() == nil}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	request := httptest.NewRequest(http.MethodPost, "/validate/production", bytes.NewReader(review(t))).WithContext(ctx)
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	e.mux.ServeHTTP(recorder, request)
	if !strings.Contains(recorder.Body.String(), `"allowed":true`) {
		t.Errorf("a request under way was cut off by the stop of the server: %s", recorder.Body)
	}
}

func TestBadBodiesAreRefused(t *testing.T) {
	tests := map[string]struct {
		body []byte
		want string
	}{
		"nothing":      {body: nil, want: "no admission request"},
		"no JSON":      {body: []byte("{"), want: ""},
		"another kind": {body: []byte(`{"apiVersion":"v1","kind":"Pod"}`), want: "no admission request"},
		"too large":    {body: bytes.Repeat([]byte(" "), 8<<20), want: "too large"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := newEndpoint(t)
			recorder, response := e.post(t, "/validate/production", test.body)
			if response != nil && response.Allowed {
				t.Error("allowed")
			}
			if !strings.Contains(recorder.Body.String(), test.want) {
				t.Errorf("answer %s, want %q in it", recorder.Body, test.want)
			}
			if e.judge.request != nil {
				t.Error("the judge was asked")
			}
		})
	}
}

func TestPanicIsADenial(t *testing.T) {
	e := newEndpoint(t)
	e.judge.answer = func(context.Context) *admissionv1.AdmissionResponse { panic("broken") }
	_, response := e.post(t, "/validate/production", review(t))
	if response == nil || response.Allowed || response.UID != "u-1" {
		t.Errorf("response %+v", response)
	}
}

func TestDrainingSendsConnectionsAway(t *testing.T) {
	e := newEndpoint(t)
	recorder, _ := e.post(t, "/validate/production", review(t))
	if got := recorder.Header().Get("Connection"); got != "" {
		t.Errorf("Connection: %s", got)
	}
	e.handlers.drain.started.Store(true)
	recorder, response := e.post(t, "/validate/production", review(t))
	if got := recorder.Header().Get("Connection"); got != "close" {
		t.Errorf("Connection: %q while draining", got)
	}
	if !response.Allowed {
		t.Error("not served while draining")
	}
}

func TestMetricsCountByEnvironmentAndVerdict(t *testing.T) {
	e := newEndpoint(t)
	verdicts := []string{admission.VerdictAllowed, admission.VerdictDenied, ""}
	for _, verdict := range verdicts {
		e.judge.answer = func(context.Context) *admissionv1.AdmissionResponse {
			return &admissionv1.AdmissionResponse{
				Allowed:          verdict == admission.VerdictAllowed,
				AuditAnnotations: map[string]string{admission.AuditVerdict: verdict},
			}
		}
		e.post(t, "/validate/production", review(t))
		for i := range 3 {
			e.post(t, fmt.Sprintf("/mutate/made-up-%d", i), review(t))
		}
	}
	want := `
# HELP rune_admission_requests_total Admission requests answered, by environment, verdict, operation of the API server and phase (mutate, validate).
# TYPE rune_admission_requests_total counter
rune_admission_requests_total{environment="production",operation="CREATE",phase="validate",verdict="allowed"} 1
rune_admission_requests_total{environment="production",operation="CREATE",phase="validate",verdict="denied"} 2
rune_admission_requests_total{environment="unknown",operation="CREATE",phase="mutate",verdict="allowed"} 3
rune_admission_requests_total{environment="unknown",operation="CREATE",phase="mutate",verdict="denied"} 6
`
	if err := testutil.GatherAndCompare(e.registry, strings.NewReader(want), "rune_admission_requests_total"); err != nil {
		t.Error(err)
	}
	problems, err := testutil.GatherAndLint(e.registry)
	if err != nil {
		t.Fatal(err)
	}
	if len(problems) > 0 {
		t.Errorf("promlint: %v", problems)
	}
}
