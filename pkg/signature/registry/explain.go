package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// explain turns what an exchange ended with into what a person can act on. The note tells of
// credentials that could not be used; it is empty or begins with a space.
func explain(registry, note string, err error) error {
	var known *Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, image.ErrNotExist), errors.As(err, &known):
		return err
	case isAbsent(err):
		return &absentError{registry: registry, note: note}
	}
	result := &Error{Registry: registry, Cause: words(err), Status: statusOf(err), unread: note != "", err: err}
	if isRefusal(result.Status) {
		result.Cause += note
	}
	var paused *pausedError
	var throttled *throttledError
	switch {
	case errors.As(err, &throttled):
		result.RetryAfter = throttled.retryAfter
		result.Cause += fmt.Sprintf(" and asks to be left alone for %s", seconds(throttled.retryAfter))
	case errors.As(err, &paused) && paused.remaining > 0:
		result.RetryAfter = paused.remaining
		result.Cause += fmt.Sprintf(" (after several failures it is not asked again for %s)", seconds(paused.remaining))
	case errors.As(err, &paused):
		result.Cause += " (after several failures it is being tried by another request)"
	}
	return result
}

// seconds rounds up, so that nobody is told to wait for 0s.
func seconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}

// words is the cause without the URL, which may hold a storage's signature.
func words(err error) string {
	var session *sessionError
	var certificate *tls.CertificateVerificationError
	var credentials *credentialsError
	var answer *answerError
	var operation *net.OpError
	var request *url.Error
	switch status := statusOf(err); {
	case errors.Is(err, context.Canceled):
		return "was not asked to the end: the request was given up"
	case isTimeout(err):
		return "did not answer in time"
	case errors.As(err, &certificate):
		return fmt.Sprintf("cannot be reached: %s", certificate)
	case errors.As(err, &credentials):
		return credentials.Error()
	case errors.As(err, &session) && session.token && !isRefusal(status) && status != 0:
		return statusWords(status) + " when asked for a token"
	case status == http.StatusNotFound:
		return "answers 404 Not Found where every registry says that it is one, so that something else answers for it"
	case status != 0:
		return statusWords(status)
	case errors.As(err, &answer):
		return answer.cause
	case errors.As(err, &operation):
		return fmt.Sprintf("cannot be reached: %s", operation)
	case errors.As(err, &request):
		return fmt.Sprintf("cannot be reached: %s", request.Err)
	}
	return fmt.Sprintf("cannot be asked: %s", err)
}

func isRefusal(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

func statusWords(code int) string {
	status := fmt.Sprintf("%d %s", code, http.StatusText(code))
	switch {
	case isRefusal(code):
		return fmt.Sprintf("refuses access (%s): it needs credentials that were not given, or has no such repository", status)
	case code == http.StatusTooManyRequests:
		return fmt.Sprintf("throttles requests (%s)", status)
	case code >= http.StatusInternalServerError:
		return fmt.Sprintf("fails (%s)", status)
	}
	return fmt.Sprintf("answered %s", status)
}

// statusOf an answer; zero where there was none. On this machine a registry is tried by HTTPS and by
// HTTP, and what the wrong one of them answered says less than a certificate that is not trusted.
func statusOf(err error) int {
	var answer *transport.Error
	if errors.As(err, new(*tls.CertificateVerificationError)) {
		return 0
	}
	if errors.As(err, &answer) {
		return answer.StatusCode
	}
	return 0
}

// isAbsent tells whether the registry answered that it does not have what was asked for. A token
// server that is not found says nothing about an image.
func isAbsent(err error) bool {
	return statusOf(err) == http.StatusNotFound && !errors.As(err, new(*sessionError))
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &network) && network.Timeout())
}

// judge says what an error tells of a registry's health.
func judge(err error) outcome {
	status := statusOf(err)
	switch {
	case err == nil:
		return healthy
	case errors.Is(err, context.Canceled):
		return unknown
	case isTimeout(err):
		return failing
	case status != 0:
		// That there were too many requests is said to one asker. 501 is how some say that they lack the referrers API.
		if status >= http.StatusInternalServerError && status != http.StatusNotImplemented {
			return failing
		}
		return healthy
	case errors.As(err, new(*answerError)):
		return healthy
	case errors.As(err, new(*credentialsError)):
		return unknown
	}
	return failing
}

// isPassing tells whether the same request may succeed at once.
func isPassing(err error) bool {
	if errors.As(err, new(*pausedError)) {
		return false
	}
	if status := statusOf(err); status != 0 {
		return judge(err) == failing
	}
	if errors.As(err, new(*answerError)) || isTimeout(err) {
		return false
	}
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
