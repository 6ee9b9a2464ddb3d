package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	kjson "sigs.k8s.io/json"
)

// An object that no type knows in full, in a form that no encoder writes.
const rareObject = `{"metadata": {"name":"web"}, "fieldOfTomorrow":1.50, "Spec":null}`

func TestObjectsStayByteForByte(t *testing.T) {
	body := `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u-1","Name":"other","oldObject":null,` +
		`"object":` + rareObject + `,"name":"web","operation":"UPDATE","dryRun":true,"userInfo":{"username":"bob","groups":["leads"]}}}`
	request, err := decodeReview([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(request.Object.Raw); got != rareObject {
		t.Errorf("object %s", got)
	}
	if request.OldObject.Raw != nil || request.Options.Raw != nil {
		t.Errorf("objects that are absent: %q, %q", request.OldObject.Raw, request.Options.Raw)
	}
	if request.Name != "web" || request.UserInfo.Username != "bob" || request.DryRun == nil || !*request.DryRun {
		t.Errorf("request %+v", request)
	}
}

func TestReviewsThatCannotBeReadAreAnsweredWithTheCause(t *testing.T) {
	head := `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":`
	tests := map[string]struct {
		media, body string
		status      int
		want        string
	}{
		"nothing":               {body: "", status: http.StatusBadRequest, want: "no admission request"},
		"no JSON":               {body: "{", status: http.StatusBadRequest, want: "reading the admission review"},
		"a list":                {body: "[]", status: http.StatusBadRequest, want: "an object is wanted"},
		"a request that is one": {body: head + `[]}`, status: http.StatusBadRequest, want: "an object is wanted"},
		"broken inside of the object": {
			body: head + `{"uid":"u","object":{"a":tru}}}`, status: http.StatusBadRequest, want: "the word true",
		},
		"another kind":          {body: `{"kind":"Pod","apiVersion":"v1"}`, status: http.StatusBadRequest, want: "no admission request"},
		"no kind":               {body: `{"request":{"uid":"u"}}`, status: http.StatusBadRequest, want: "no admission request"},
		"no request":            {body: head + `null}`, status: http.StatusBadRequest, want: "no admission request"},
		"no uid":                {body: head + `{"name":"web"}}`, status: http.StatusBadRequest, want: "no admission request"},
		"a uid in upper case":   {body: head + `{"UID":"u"}}`, status: http.StatusBadRequest, want: "no admission request"},
		"a name that is a list": {body: head + `{"uid":"u","name":[]}}`, status: http.StatusBadRequest, want: "name"},
		"v1beta1": {
			body:   `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1","request":{"uid":"u"}}`,
			status: http.StatusBadRequest, want: "admissionReviewVersions: [v1]",
		},
		"protobuf":  {media: "application/vnd.kubernetes.protobuf", body: "{}", status: http.StatusUnsupportedMediaType, want: "application/json is wanted"},
		"too large": {body: head + strings.Repeat(" ", maxBody), status: http.StatusRequestEntityTooLarge, want: "too large"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, length := range []int64{int64(len(test.body)), -1} {
				e := newEndpoint(t)
				request := httptest.NewRequest(http.MethodPost, "/validate/production", strings.NewReader(test.body))
				request.ContentLength = length
				request.Header.Set("Content-Type", contentType)
				if test.media != "" {
					request.Header.Set("Content-Type", test.media)
				}
				recorder := httptest.NewRecorder()
				e.mux.ServeHTTP(recorder, request)
				var review admissionv1.AdmissionReview
				if err := json.Unmarshal(recorder.Body.Bytes(), &review); err != nil {
					t.Fatalf("answer %s: %v", recorder.Body, err)
				}
				if recorder.Code != test.status || int(review.Response.Result.Code) != test.status || review.Response.Allowed {
					t.Errorf("status %d, answer %s", recorder.Code, recorder.Body)
				}
				if !strings.Contains(review.Response.Result.Message, test.want) {
					t.Errorf("message %q, want %q in it", review.Response.Result.Message, test.want)
				}
				if e.judge.request != nil {
					t.Error("the judge was asked")
				}
			}
		})
	}
}

func TestMediaTypesMayHaveParameters(t *testing.T) {
	e := newEndpoint(t)
	request := httptest.NewRequest(http.MethodPost, "/validate/production", bytes.NewReader(review(t)))
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	recorder := httptest.NewRecorder()
	e.mux.ServeHTTP(recorder, request)
	if recorder.Code != http.StatusOK {
		t.Errorf("%d: %s", recorder.Code, recorder.Body)
	}
}

// FuzzReview compares the reader with the decoder of the API server's own libraries.
func FuzzReview(f *testing.F) {
	for _, object := range []string{rareObject, "null", "{}", "1", `"x"`} {
		f.Add(fmt.Appendf(nil, `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u-1","object":%s,"options":{"a":1}}}`, object))
	}
	f.Add([]byte(`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u","kind":{"group":"apps","Kind":"x"},"userInfo":{"extra":{"a":["b"]}}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := decodeReview(body)
		if err != nil {
			return
		}
		var want admissionv1.AdmissionReview
		if strict, err := kjson.UnmarshalStrict(body, &want, kjson.DisallowDuplicateFields); err != nil {
			t.Fatalf("%q is read, and the API server's decoder says: %v", body, err)
		} else if len(strict) > 0 {
			t.Skip("the API server encodes no field twice")
		}
		if diff := cmp.Diff(want.Request, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", body, diff)
		}
	})
}
