package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/runeframeos/kubectl-rune/pkg/policy/rawjson"
)

const (
	// maxBody is the size in bytes of the largest review that is read, as in controller-runtime. The API server takes
	// requests of up to 3 MiB, but a review holds what became of them: defaults and managedFields make an object of
	// thousands of containers several times as large, and an update brings it twice.
	maxBody = 7 << 20
	// firstBuffer bounds what is set aside for a body because of what its header says.
	firstBuffer = 64 << 10

	contentType  = "application/json"
	reviewKind   = "AdmissionReview"
	reviewGroup  = "admission.k8s.io"
	reviewFormat = reviewGroup + "/v1"
)

// errNoRequest is the answer to a body that is JSON and no admission review.
var errNoRequest = errors.New("the body holds no admission request: want an AdmissionReview of admission.k8s.io/v1 with request.uid")

// badRequest is a review that cannot be answered, with the HTTP status that says so. There is no UID to
// answer to: with a status of HTTP the API server shows the cause, else it would only miss the UID.
type badRequest struct {
	status int
	cause  error
	// request is set where the UID is known all the same: then the answer is a denial in words.
	request *admissionv1.AdmissionRequest
}

// Error implements error.
func (b *badRequest) Error() string { return b.cause.Error() }

// Unwrap implements the interface that package errors looks for.
func (b *badRequest) Unwrap() error { return b.cause }

// readReview reads the request of an admission review.
func readReview(r *http.Request) (*admissionv1.AdmissionRequest, *badRequest) {
	if media := r.Header.Get("Content-Type"); media != contentType {
		if media, _, err := mime.ParseMediaType(media); err != nil || media != contentType {
			return nil, &badRequest{status: http.StatusUnsupportedMediaType, cause: fmt.Errorf("the content type is %q, and %s is wanted", r.Header.Get("Content-Type"), contentType)}
		}
	}
	tooLarge := &badRequest{status: http.StatusRequestEntityTooLarge, cause: fmt.Errorf("the review is too large: at most %d bytes are read; "+
		"the object has too many containers or managed fields, so split it", maxBody)}
	if r.ContentLength > maxBody {
		tooLarge.request = requestOf(r)
		return nil, tooLarge
	}
	// The buffer is not used again: objects are parts of it, and who keeps one need not know.
	body := bytes.NewBuffer(make([]byte, 0, min(max(r.ContentLength, 0), firstBuffer)+bytes.MinRead))
	n, err := body.ReadFrom(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, &badRequest{status: http.StatusBadRequest, cause: fmt.Errorf("reading the body: %w", err)}
	case n > maxBody:
		return nil, tooLarge
	case n == 0:
		return nil, &badRequest{status: http.StatusBadRequest, cause: errNoRequest}
	}
	request, err := decodeReview(body.Bytes())
	if err != nil {
		return nil, &badRequest{status: http.StatusBadRequest, cause: err}
	}
	return request, nil
}

// decodeReview decodes a review but not the objects in it, which stay parts of the body. Keys are
// case-sensitive, as in all that the API server reads.
func decodeReview(body []byte) (*admissionv1.AdmissionRequest, error) {
	members, err := rawjson.Pick(body, "apiVersion", "kind", "request")
	if err != nil {
		return nil, fmt.Errorf("reading the admission review: %w", err)
	}
	if err := checkFormat(members[0], members[1]); err != nil {
		return nil, err
	}
	if members[2] == nil || string(members[2]) == "null" {
		return nil, errNoRequest
	}
	rest, objects, err := rawjson.Cut(members[2], "object", "oldObject", "options")
	if err != nil {
		return nil, fmt.Errorf("reading the admission request: %w", err)
	}
	request := &admissionv1.AdmissionRequest{}
	if err := utiljson.Unmarshal(rest, request); err != nil {
		return nil, fmt.Errorf("reading the admission request: %w", err)
	}
	if request.UID == "" {
		return nil, errNoRequest
	}
	for i, into := range []*runtime.RawExtension{&request.Object, &request.OldObject, &request.Options} {
		if string(objects[i]) != "null" {
			into.Raw = objects[i]
		}
	}
	return request, nil
}

// checkFormat wants the one version that the webhook is registered for.
func checkFormat(apiVersion, kind []byte) error {
	if string(apiVersion) == `"`+reviewFormat+`"` && string(kind) == `"`+reviewKind+`"` {
		return nil
	}
	var version, name string
	if json.Unmarshal(apiVersion, &version) != nil || json.Unmarshal(kind, &name) != nil || name != reviewKind {
		return errNoRequest
	}
	if version != reviewFormat {
		return fmt.Errorf("the review is of %s, and %s is answered: register the webhook with admissionReviewVersions: [v1]", version, reviewFormat)
	}
	return nil
}

// writeReview answers a review.
func (h *handlers) writeReview(w http.ResponseWriter, status int, response *admissionv1.AdmissionResponse) {
	body, err := json.Marshal(&admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: reviewFormat, Kind: reviewKind},
		Response: response,
	})
	if err != nil {
		h.log.Error(err, "encoding an answer", "request", response.UID)
		http.Error(w, "encoding the answer: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		h.log.Error(err, "writing an answer", "request", response.UID)
	}
}

// errorResponse is the denial of a request that nobody judged.
func errorResponse(request *admissionv1.AdmissionRequest, code int32, err error) *admissionv1.AdmissionResponse {
	response := &admissionv1.AdmissionResponse{
		Result: &metav1.Status{Status: metav1.StatusFailure, Code: code, Message: err.Error()},
	}
	if request != nil {
		response.UID = request.UID
	}
	return response
}
