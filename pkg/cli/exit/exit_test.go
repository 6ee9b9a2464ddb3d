package exit

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/runeframeos/kubectl-rune/pkg/engine"
)

func status(code int32, reason metav1.StatusReason, message string, details *metav1.StatusDetails) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message, Details: details,
	}}
}

func unreachableBy(err error) error {
	return fmt.Errorf("reading deployment %q: %w", "web", &url.Error{Op: "Get", URL: "https://192.0.2.1:6443/apis/apps/v1?x=y", Err: err})
}

func TestReport(t *testing.T) {
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: &os.SyscallError{Syscall: "connect", Err: syscall.ECONNREFUSED}}
	release := schema.GroupResource{Group: "rune.runeframeos.com", Resource: "releases"}
	tests := map[string]struct {
		err  error
		code Code
		text string
	}{
		"no error says nothing":                      {code: Done},
		"an outcome without a cause has said it all": {err: With(TakenBack, nil), code: TakenBack},
		"an outcome's code goes through wrapping": {
			err: fmt.Errorf("releasing: %w", With(TimedOut, errors.New("no end"))), code: TimedOut, text: "error: releasing: no end\n",
		},
		"any other error": {err: errors.New("it broke"), code: Failed, text: "error: it broke\n"},
		"a webhook's denial is told in the webhook's words": {
			err: fmt.Errorf("creating approval: %w", status(403, metav1.StatusReasonForbidden,
				`admission webhook "production.validate.rune.runeframeos.com" denied the request: environment "production" refuses Deployment "web": 1 violation`+"\n  spec: no", nil)),
			code: Denied, text: "error: environment \"production\" refuses Deployment \"web\": 1 violation\n  spec: no\n",
		},
		"a denial without words": {
			err:  status(400, metav1.StatusReasonBadRequest, `admission webhook "x.example.com" denied the request without explanation`, nil),
			code: Denied, text: "error: admission webhook \"x.example.com\" denied the request without explanation\n",
		},
		"the engine's denial": {
			err: &engine.PolicyError{Object: "deployment/web", Message: "2 violations\n  a\n  b"}, code: Denied, text: "error: 2 violations\n  a\n  b\n",
		},
		"an authorizer's refusal is no policy": {
			err: fmt.Errorf("reading release %q: %w", "web-1", apierrors.NewForbidden(release, "web-1",
				errors.New(`User "mallory" cannot get resource "releases" in API group "rune.runeframeos.com" in the namespace "shop"`))),
			code: Failed,
			text: "error: user \"mallory\" may not get releases.rune.runeframeos.com in namespace \"shop\": ask for that right, then check with `kubectl auth can-i get releases.rune.runeframeos.com -n shop`\n",
		},
		"a refusal at a subresource": {
			err: apierrors.NewForbidden(release, "web-1",
				errors.New(`User "bob" cannot update resource "releases/status" in API group "rune.runeframeos.com" in the namespace "shop"`)),
			code: Failed,
			text: "error: user \"bob\" may not update releases.rune.runeframeos.com/status in namespace \"shop\": ask for that right, then check with `kubectl auth can-i update releases.rune.runeframeos.com --subresource=status -n shop`\n",
		},
		"a refusal of a cluster-wide kind": {
			err: apierrors.NewForbidden(schema.GroupResource{Resource: "nodes"}, "",
				errors.New(`User "bob" cannot list resource "nodes" in API group "" at the cluster scope`)),
			code: Failed,
			text: "error: user \"bob\" may not list nodes in the whole cluster: ask for that right, then check with `kubectl auth can-i list nodes`\n",
		},
		"wrong credentials": {
			err: fmt.Errorf("listing: %w", apierrors.NewUnauthorized("Unauthorized")), code: Failed,
			text: "error: the API server does not accept the credentials of the current context: see `kubectl config view --minify`\n",
		},
		"kinds that the cluster does not serve": {
			err: fmt.Errorf("listing releases: %w", status(404, metav1.StatusReasonNotFound, "the server could not find the requested resource",
				&metav1.StatusDetails{Group: "rune.runeframeos.com", Kind: "releases"})),
			code: Failed,
			text: "error: this cluster does not know Rune's kinds (rune.runeframeos.com/v1alpha1): install them with `kubectl rune install`\n",
		},
		"a webhook that is down": {
			err: status(500, metav1.StatusReasonInternalError, `Internal error occurred: failed calling webhook "x": connection refused`, nil), code: Failed,
			text: "error: the API server could not ask an admission webhook, so it changed nothing: Internal error occurred: failed calling webhook \"x\": connection refused\n  look at it with `kubectl get pods -n rune-system`\n",
		},
		"a server that is not there": {
			err: unreachableBy(dial), code: Failed,
			text: "error: the API server https://192.0.2.1:6443 cannot be reached (connection refused): check the cluster of the current context with `kubectl cluster-info`\n",
		},
		"a name that does not resolve": {
			err: unreachableBy(&net.DNSError{Err: "no such host", Name: "api.example.com"}), code: Failed,
			text: "error: the API server https://192.0.2.1:6443 cannot be reached (no such host): check the cluster of the current context with `kubectl cluster-info`\n",
		},
		"a stranger's certificate": {
			err: unreachableBy(x509.UnknownAuthorityError{}), code: Failed,
			text: "error: the API server https://192.0.2.1:6443 cannot be reached (its certificate is signed by an unknown authority): check the cluster of the current context with `kubectl cluster-info`\n",
		},
		"a server that does not answer": {
			err: unreachableBy(http.ErrHandlerTimeout), code: Failed,
			text: "error: the API server https://192.0.2.1:6443 cannot be reached (http: Handler timeout): check the cluster of the current context with `kubectl cluster-info`\n",
		},
		"a context that does not exist": {
			err: errors.New("reading kubeconfig: invalid configuration: context was not found for specified context: staging"), code: Failed,
			text: "error: context \"staging\" does not exist in the kubeconfig: `kubectl config get-contexts` lists those that do\n",
		},
		"a deadline": {
			err: fmt.Errorf("waiting for pods: %w", context.DeadlineExceeded), code: TimedOut,
			text: "error: waiting for pods: no end before the deadline\n",
		},
		"advice follows, whatever words are found": {
			err: WithAdvice(unreachableBy(dial), []string{"release/web-7 is left alone", "  continue: x"}), code: Failed,
			text: "error: the API server https://192.0.2.1:6443 cannot be reached (connection refused): check the cluster of the current context with `kubectl cluster-info`\nrelease/web-7 is left alone\n  continue: x\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if code := Report(&out, test.err); code != test.code {
				t.Errorf("Report gives code %d, want %d", code, test.code)
			}
			if out.String() != test.text {
				t.Errorf("Report prints\n%s\nwant\n%s", out.String(), test.text)
			}
		})
	}
}
