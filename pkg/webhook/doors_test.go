package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
)

// doorkeeper says which door was asked, and of which environment.
type doorkeeper struct{}

func (doorkeeper) through(door, environment string) *admissionv1.AdmissionResponse {
	return &admissionv1.AdmissionResponse{Allowed: true, AuditAnnotations: map[string]string{"door": door + " " + environment}}
}

func (d doorkeeper) Mutate(_ context.Context, environment string, _ *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	return d.through("mutate", environment)
}

func (d doorkeeper) Validate(_ context.Context, environment string, _ *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	return d.through("validate", environment)
}

func (d doorkeeper) ValidateNamespace(_ context.Context, environment string, _ *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	return d.through("namespace", environment)
}

func (d doorkeeper) ValidateConfiguration(context.Context, *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	return d.through("configuration", "")
}

var (
	_ clusterJudge = (*admission.Judge)(nil)
	_ Judge        = (*admission.Judge)(nil)
)

func TestEachPathHasItsDoor(t *testing.T) {
	metrics, err := NewMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	h := &handlers{
		judge: doorkeeper{}, metrics: metrics, drain: &drain{}, log: logr.Discard(),
		clock:   clocktesting.NewFakePassiveClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)),
		known:   func(context.Context, string) bool { return true },
		further: clusterDoors(doorkeeper{}),
	}
	mux := http.NewServeMux()
	h.register(mux.Handle)
	body, err := json.Marshal(&admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request:  &admissionv1.AdmissionRequest{UID: "1", Operation: admissionv1.Update},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, path := range []string{"/mutate/production", "/validate/production", "/namespace/production", "/configuration", "/namespace/"} {
		request := httptest.NewRequest(http.MethodPost, path+"?timeout=5s", bytes.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		recorder := httptest.NewRecorder()
		mux.ServeHTTP(recorder, request)
		if recorder.Code != http.StatusOK {
			got[path] = http.StatusText(recorder.Code)
			continue
		}
		var review admissionv1.AdmissionReview
		if err := json.Unmarshal(recorder.Body.Bytes(), &review); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		got[path] = review.Response.AuditAnnotations["door"]
	}
	want := map[string]string{
		"/mutate/production": "mutate production", "/validate/production": "validate production",
		"/namespace/production": "namespace production", "/configuration": "configuration ", "/namespace/": "Not Found",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
