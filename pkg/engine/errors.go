package engine

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// ErrLeaseLost ends a driver whose Lease another one holds, or that could not renew it in time. It has
// written nothing since.
var ErrLeaseLost = errors.New("the Lease was lost: another driver may go on with the release")

// NotInstalledError says that the API server does not serve Rune's kinds.
type NotInstalledError struct{}

func (*NotInstalledError) Error() string {
	return "Rune's CRDs are not installed in this cluster: run kubectl rune install"
}

// RightsError lists what the caller is not allowed to do.
type RightsError struct {
	Missing []Right
}

func (e *RightsError) Error() string {
	parts := make([]string, 0, len(e.Missing))
	for _, r := range e.Missing {
		parts = append(parts, r.String())
	}
	return "missing rights: cannot " + strings.Join(parts, "; cannot ")
}

// String is a right in the words of `kubectl auth can-i`.
func (r Right) String() string {
	resource := r.Resource
	if r.Subresource != "" {
		resource += "/" + r.Subresource
	}
	if r.Group != "" {
		resource += "." + r.Group
	}
	if r.Namespace == "" {
		return fmt.Sprintf("%s %s", r.Verb, resource)
	}
	return fmt.Sprintf("%s %s in namespace %q", r.Verb, resource, r.Namespace)
}

// WorkloadError says why a release of a workload cannot begin.
type WorkloadError struct {
	Name    string
	Message string
}

func (e *WorkloadError) Error() string {
	return fmt.Sprintf("Deployment %q %s", e.Name, e.Message)
}

// InFlightError says that a release of the workload has not ended.
type InFlightError struct {
	Release *v1alpha1.Release
}

func (e *InFlightError) Error() string {
	w := e.Release.Spec.Workload.Name
	return fmt.Sprintf("release %[1]q of Deployment %[2]q has not ended (%[3]s): run kubectl rune resume %[4]s or kubectl rune abort %[4]s",
		e.Release.Name, w, phaseWord(e.Release.Status.Phase), deploymentArgument(e.Release.Namespace, w))
}

// UnreadableError says that a release of the workload may be in flight, but cannot be read.
type UnreadableError struct {
	Namespace, Name, Workload string
	Cause                     error
}

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("release %[1]q of Deployment %[2]q has not ended and cannot be read: %[3]v: look at kubectl get release %[1]s -n %[4]s -o yaml; once nothing of it is left, an administrator removes it with kubectl delete release %[1]s -n %[4]s",
		e.Name, e.Workload, e.Cause, e.Namespace)
}

// Unwrap gives what is wrong with it.
func (e *UnreadableError) Unwrap() error { return e.Cause }

func phaseWord(p v1alpha1.Phase) v1alpha1.Phase {
	if p == "" {
		return v1alpha1.PhasePending
	}
	return p
}

// SameTemplateError says that there is nothing to release.
type SameTemplateError struct {
	Name string
}

func (e *SameTemplateError) Error() string {
	return fmt.Sprintf("Deployment %q already runs this template", e.Name)
}

// PolicyError is a denial by admission. Message is the webhook's own, whole.
type PolicyError struct {
	// Object that was refused, as TYPE/NAME.
	Object string
	// Webhook that refused it; empty for a check inside the API server.
	Webhook string
	Message string
}

func (e *PolicyError) Error() string {
	return fmt.Sprintf("%s is denied by policy: %s", e.Object, e.Message)
}

// HeldError says that a living driver holds the workload's Lease.
type HeldError struct {
	Namespace string
	Release   string
	Holder    string
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("release %[1]q is being driven by %[2]q: watch it with kubectl rune status release/%[1]s -n %[3]s, take it back with kubectl rune abort release/%[1]s -n %[3]s",
		e.Release, e.Holder, e.Namespace)
}

// JournalError says that what a Release records cannot be trusted, so that nothing was done.
type JournalError struct {
	Message string
}

func (e *JournalError) Error() string { return e.Message }

// stopError ends a driver that found another hand at work. A person has to choose.
type stopError struct {
	message string
	next    []string
}

func (e *stopError) Error() string { return e.message }

// failure is a judgement against the release, not an error of the engine.
type failure struct {
	message string
}

func (e *failure) Error() string { return e.message }

var (
	// The API server's words around a webhook's message: k8s.io/apiserver/pkg/admission/plugin/webhook/errors.
	deniedBy = regexp.MustCompile(`(?s)admission webhook "([^"]+)" denied the request(?:: (.*)| without explanation)$`)
)

// denial returns the PolicyError in an API error, or nil.
func denial(object string, err error) *PolicyError {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return nil
	}
	message := status.Status().Message
	if m := deniedBy.FindStringSubmatch(message); m != nil {
		text := m[2]
		if text == "" {
			text = "no reason given by " + m[1]
		}
		return &PolicyError{Object: object, Webhook: m[1], Message: text}
	}
	if apierrors.IsForbidden(err) && strings.Contains(message, "violates PodSecurity") {
		return &PolicyError{Object: object, Message: message}
	}
	return nil
}

// refusedByAdmission tells whether a webhook denied a write, or could not be asked for its answer: the
// API server's words for both are in k8s.io/apiserver/pkg/admission/plugin/webhook.
func refusedByAdmission(err error) bool {
	var status apierrors.APIStatus
	if err == nil || !errors.As(err, &status) {
		return false
	}
	return denial("", err) != nil || apierrors.IsForbidden(err) || strings.Contains(status.Status().Message, "failed calling webhook")
}

// permanent tells whether sending a write again cannot help.
func permanent(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) ||
		apierrors.IsUnauthorized(err) || apierrors.IsMethodNotSupported(err) || apierrors.IsRequestEntityTooLargeError(err)
}
