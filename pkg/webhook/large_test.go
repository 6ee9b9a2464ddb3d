package webhook

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
)

func TestAReviewThatIsTooLargeIsDeniedInWords(t *testing.T) {
	body := `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u-7","object":{` + strings.Repeat(" ", maxBody) + `}}}`
	e := newEndpoint(t)
	request := httptest.NewRequest(http.MethodPost, "/validate/production", strings.NewReader(body))
	request.Header.Set("Content-Type", contentType)
	recorder := httptest.NewRecorder()
	e.mux.ServeHTTP(recorder, request)
	var answer admissionv1.AdmissionReview
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	if recorder.Code != http.StatusOK || answer.Response.UID != "u-7" || answer.Response.Allowed || !strings.Contains(answer.Response.Result.Message, "too large") {
		t.Errorf("%d: %s", recorder.Code, recorder.Body)
	}
}

func TestLargeReviewsWaitForOneAnotherAndSmallOnesForNobody(t *testing.T) {
	var large largeReviews
	leave, err := large.enter(t.Context(), -1)
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := large.enter(gone, largeBody+1); err == nil {
		t.Error("a large review found room beside one of unknown size")
	}
	small, err := large.enter(gone, largeBody)
	if err != nil {
		t.Errorf("a small review waited: %v", err)
	}
	small()
	leave()
	again, err := large.enter(t.Context(), maxBody)
	if err != nil {
		t.Fatalf("the room was not given back: %v", err)
	}
	again()
}
