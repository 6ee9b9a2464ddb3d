package exit

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"strings"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
)

// Report writes an error for a person and returns the exit code. It writes nothing for a nil error
// and for an Outcome without a cause.
func Report(w io.Writer, err error) Code {
	code := CodeOf(err)
	if err == nil {
		return code
	}
	if message := Message(err); message != "" {
		fmt.Fprintf(w, "error: %s\n", message)
	}
	return code
}

// Message says what went wrong and, where it is known, what to do next. Errors of the API machinery,
// which speak of Go types and URLs, are put in the words of the person who typed the command.
func Message(err error) string {
	var followed *advised
	if errors.As(err, &followed) {
		return strings.Join(append([]string{Message(followed.err)}, followed.lines...), "\n")
	}
	if text, denied := denial(err); denied {
		return text
	}
	var policy *engine.PolicyError
	if errors.As(err, &policy) {
		return policy.Message
	}
	for _, explain := range []func(error) (string, bool){
		missingKinds, webhookDown, forbidden, unauthorized, noContext, unreachable, deadline,
	} {
		if text, ok := explain(err); ok {
			return text
		}
	}
	return err.Error()
}

// deniedPrefix is what the API server puts before an admission webhook's own words; see
// k8s.io/apiserver/pkg/admission/plugin/webhook/errors.ToStatusErr.
var deniedPrefix = regexp.MustCompile(`^admission webhook "[^"]+" denied the request(: | without explanation)`)

// denial finds an admission webhook's refusal and returns the webhook's own words.
func denial(err error) (string, bool) {
	status, ok := statusOf(err)
	if !ok {
		return "", false
	}
	where := deniedPrefix.FindStringIndex(status.Message)
	if where == nil {
		return "", false
	}
	text := status.Message[where[1]:]
	if text == "" {
		text = status.Message
	}
	return text, true
}

func missingKinds(err error) (string, bool) {
	var noKind *meta.NoKindMatchError
	status, ok := statusOf(err)
	unserved := ok && status.Reason == metav1.StatusReasonNotFound && isRuneKind(status.Details) &&
		strings.Contains(status.Message, "could not find the requested resource")
	if !unserved && !errors.As(err, &noKind) {
		return "", false
	}
	return "this cluster does not know Rune's kinds (" + v1alpha1.GroupName + "/" + v1alpha1.Version +
		"): install them with `kubectl rune install`", true
}

func isRuneKind(details *metav1.StatusDetails) bool {
	return details != nil && (details.Group == v1alpha1.GroupName || details.Group == "")
}

func webhookDown(err error) (string, bool) {
	status, ok := statusOf(err)
	if !ok || !strings.Contains(status.Message, "failed calling webhook") {
		return "", false
	}
	return fmt.Sprintf("the API server could not ask an admission webhook, so it changed nothing: %s\n"+
		"  look at it with `kubectl get pods -n %s`", status.Message, v1alpha1.SystemNamespace), true
}

// forbiddenBy takes apart the authorizer's message; see
// k8s.io/apiserver/pkg/endpoints/handlers/responsewriters.forbiddenMessage.
var forbiddenBy = regexp.MustCompile(
	`User "([^"]*)" cannot (\w+) resource "([^"]*)" in API group "([^"]*)"(?: in the namespace "([^"]*)"| at the cluster scope)`)

func forbidden(err error) (string, bool) {
	status, ok := statusOf(err)
	if !ok || status.Reason != metav1.StatusReasonForbidden {
		return "", false
	}
	m := forbiddenBy.FindStringSubmatch(status.Message)
	if m == nil {
		return err.Error(), true
	}
	user, verb, resource, group, namespace := m[1], m[2], m[3], m[4], m[5]
	base, sub, _ := strings.Cut(resource, "/")
	if group != "" {
		base += "." + group
	}
	place, flags := "in the whole cluster", ""
	if namespace != "" {
		place, flags = fmt.Sprintf("in namespace %q", namespace), " -n "+namespace
	}
	if sub != "" {
		flags = " --subresource=" + sub + flags
		base += "/" + sub
	}
	return fmt.Sprintf("user %q may not %s %s %s: ask for that right, then check with `kubectl auth can-i %s %s%s`",
		user, verb, base, place, verb, strings.TrimSuffix(base, "/"+sub), flags), true
}

func unauthorized(err error) (string, bool) {
	if !apierrors.IsUnauthorized(err) {
		return "", false
	}
	return "the API server does not accept the credentials of the current context: see `kubectl config view --minify`", true
}

// contextMissing is how clientcmd names a context that does not exist, in its two versions.
var contextMissing = regexp.MustCompile(`context(?: was not found for specified context: (\S+)| "([^"]+)" does not exist)`)

func noContext(err error) (string, bool) {
	if m := contextMissing.FindStringSubmatch(err.Error()); m != nil {
		return fmt.Sprintf("context %q does not exist in the kubeconfig: `kubectl config get-contexts` lists those that do", m[1]+m[2]), true
	}
	return "", false
}

func unreachable(err error) (string, bool) {
	var request *url.Error
	if !errors.As(err, &request) || errors.Is(err, context.Canceled) {
		return "", false
	}
	server := request.URL
	if u, parseErr := url.Parse(request.URL); parseErr == nil {
		server = u.Scheme + "://" + u.Host
	}
	return fmt.Sprintf("the API server %s cannot be reached (%s): check the cluster of the current context with `kubectl cluster-info`",
		server, networkReason(request.Err)), true
}

func networkReason(err error) string {
	var dns *net.DNSError
	var authority x509.UnknownAuthorityError
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.As(err, &dns):
		return "no such host"
	case errors.As(err, &authority):
		return "its certificate is signed by an unknown authority"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	default:
		return err.Error()
	}
}

func deadline(err error) (string, bool) {
	if !errors.Is(err, context.DeadlineExceeded) {
		return "", false
	}
	return strings.TrimSuffix(err.Error(), ": "+context.DeadlineExceeded.Error()) + ": no end before the deadline", true
}

func statusOf(err error) (metav1.Status, bool) {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return metav1.Status{}, false
	}
	return status.Status(), true
}
