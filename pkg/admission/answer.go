package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// Keys of the audit annotations; the API server prefixes them with the webhook's name.
const (
	// AuditVerdict holds one of the verdicts below.
	AuditVerdict = "verdict"
	// AuditRules lists the violated rules, sorted and separated by commas.
	AuditRules = "rules"
	// AuditViolations holds the whole message of a request that was admitted although it breaks rules.
	AuditViolations = "violations"
)

// Verdicts as they stand in the audit annotation and the log.
const (
	VerdictUnjudged  = "unjudged"
	VerdictAllowed   = "allowed"
	VerdictDenied    = "denied"
	VerdictWarned    = "warned"
	VerdictAudited   = "audited"
	VerdictUndecided = "undecided"
)

// maxWarning is the length in bytes beyond which the API server cuts a warning.
const maxWarning = 256

// decision is what one of the doors concluded.
type decision struct {
	// judged is false where there was nothing to judge.
	judged bool
	// what names the object to people.
	what string
	// enforcement of the environment decides what an error does; empty means Enforce, also where no Environment was read.
	enforcement v1alpha1.Enforcement
	verdict     policy.Verdict
	// lenient violations never deny: an approval that is missing on a dry run.
	lenient []policy.Violation
	patch   []jsonpatch.Operation
}

// door decides one request. An error means that nothing could be decided.
type door func(ctx context.Context, environment string, request *admissionv1.AdmissionRequest) (decision, error)

// answer makes the response of a decision. It is the one place where an error becomes a denial.
func (j *Judge) answer(ctx context.Context, name, environment string, request *admissionv1.AdmissionRequest, decide door) *admissionv1.AdmissionResponse {
	if request == nil {
		return denial(nil, http.StatusBadRequest, metav1.StatusReasonBadRequest, "the admission review holds no request")
	}
	started := j.Clock.Now()
	ctx, cancel := context.WithTimeout(ctx, j.Timeout)
	defer cancel()
	d, err := decide(ctx, environment, request)
	if d.what == "" {
		d.what = fmt.Sprintf("%s %q", request.Kind.Kind, request.Name)
	}
	response, verdict := respond(environment, d, err)
	response.UID = request.UID
	j.record(ctx, environment, request, d, response)
	j.log(name, environment, verdict, request, response, err, j.Clock.Since(started).Seconds())
	return response
}

// record makes a denial known. A dry run leaves no trace.
func (j *Judge) record(ctx context.Context, environment string, request *admissionv1.AdmissionRequest, d decision, response *admissionv1.AdmissionResponse) {
	if response.Allowed || j.Recorder == nil || isDryRun(request) {
		return
	}
	j.Recorder.Denied(ctx, Denial{
		Environment: environment, Request: request,
		Rules: policy.NewVerdict(d.verdict.Denials()...).Rules(), Message: response.Result.Message,
	})
}

func isDryRun(request *admissionv1.AdmissionRequest) bool { return request.DryRun != nil && *request.DryRun }

// respond returns the response of a decision and its verdict in one word.
func respond(environment string, d decision, err error) (*admissionv1.AdmissionResponse, string) {
	switch {
	case err != nil:
		return undecided(environment, d, err)
	case !d.judged:
		return admitted(VerdictUnjudged), VerdictUnjudged
	}
	response, verdict := admitted(VerdictAllowed), VerdictAllowed
	if len(d.verdict.Violations) > 0 {
		response, verdict = refused(environment, d)
	}
	for _, violation := range d.lenient {
		response.Warnings = append(response.Warnings, warning(environment, violation))
	}
	if len(d.patch) == 0 || !response.Allowed {
		return response, verdict
	}
	patch, err := json.Marshal(d.patch)
	if err != nil {
		return undecided(environment, d, fmt.Errorf("encoding the patch: %w", err))
	}
	patchType := admissionv1.PatchTypeJSONPatch
	response.Patch, response.PatchType = patch, &patchType
	return response, verdict
}

// refused applies the degrees of enforcement to a verdict with violations.
func refused(environment string, d decision) (*admissionv1.AdmissionResponse, string) {
	warned := d.verdict.Degree(v1alpha1.EnforcementWarn)
	var response *admissionv1.AdmissionResponse
	var verdict string
	switch {
	case !d.verdict.Allowed():
		verdict = VerdictDenied
		response = denial(d.verdict.Denials(), http.StatusForbidden, metav1.StatusReasonForbidden, d.verdict.Message(environment, d.what))
	case len(warned) > 0:
		verdict = VerdictWarned
		response = admitted(verdict)
	default:
		verdict = VerdictAudited
		response = admitted(verdict)
	}
	for _, violation := range warned {
		response.Warnings = append(response.Warnings, warning(environment, violation))
	}
	if len(d.verdict.Denials()) < len(d.verdict.Violations) {
		response.AuditAnnotations[AuditViolations] = d.verdict.Report(environment, d.what)
	}
	response.AuditAnnotations[AuditRules] = ruleList(d.verdict)
	return response, verdict
}

// undecided denies where rules are enforced: what nobody could judge must not enter.
func undecided(environment string, d decision, err error) (*admissionv1.AdmissionResponse, string) {
	message := fmt.Sprintf("environment %q could not judge %s: %s", environment, d.what, err)
	if environment == "" {
		message = fmt.Sprintf("could not judge %s: %s", d.what, err)
	}
	var response *admissionv1.AdmissionResponse
	switch d.enforcement {
	case v1alpha1.EnforcementWarn:
		response = admitted(VerdictUndecided)
		response.Warnings = []string{cut(message)}
	case v1alpha1.EnforcementAudit:
		response = admitted(VerdictUndecided)
	default:
		response = denial(nil, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, message)
	}
	response.AuditAnnotations[AuditVerdict] = VerdictUndecided
	response.AuditAnnotations[AuditViolations] = message
	return response, VerdictUndecided
}

func admitted(verdict string) *admissionv1.AdmissionResponse {
	return &admissionv1.AdmissionResponse{
		Allowed:          true,
		AuditAnnotations: map[string]string{AuditVerdict: verdict, AuditRules: ""},
	}
}

// denial carries the violations as causes too, so that a program need not read the message.
func denial(violations []policy.Violation, code int32, reason metav1.StatusReason, message string) *admissionv1.AdmissionResponse {
	status := &metav1.Status{Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message}
	if len(violations) > 0 {
		status.Details = &metav1.StatusDetails{}
	}
	for _, violation := range violations {
		status.Details.Causes = append(status.Details.Causes, metav1.StatusCause{
			Type: metav1.CauseType(violation.Rule), Field: violation.Field, Message: violation.Message,
		})
	}
	return &admissionv1.AdmissionResponse{
		Result:           status,
		AuditAnnotations: map[string]string{AuditVerdict: VerdictDenied, AuditRules: ""},
	}
}

func ruleList(verdict policy.Verdict) string {
	var names []string
	for _, rule := range verdict.Rules() {
		names = append(names, string(rule))
	}
	return strings.Join(names, ",")
}

func warning(environment string, violation policy.Violation) string {
	return cut(fmt.Sprintf("environment %q: %s", environment, violation))
}

// cut shortens a warning to what the API server passes on, at a boundary of characters, in one line.
func cut(text string) string {
	text = strings.ReplaceAll(text, "\n", " ")
	if len(text) <= maxWarning {
		return text
	}
	const ellipsis = "…"
	end := maxWarning - len(ellipsis)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}

// log writes one line per decision; requests in which nothing was judged only at a high verbosity.
func (j *Judge) log(name, environment, verdict string, request *admissionv1.AdmissionRequest, response *admissionv1.AdmissionResponse, err error, seconds float64) {
	logger := j.Log
	if verdict == VerdictUnjudged {
		logger = logger.V(2)
	}
	values := []any{
		"door", name, "environment", environment, "verdict", verdict,
		"kind", request.Kind.Kind, "namespace", request.Namespace, "name", request.Name,
		"subresource", request.SubResource, "operation", string(request.Operation),
		"dryRun", request.DryRun != nil && *request.DryRun, "user", request.UserInfo.Username,
		"rules", response.AuditAnnotations[AuditRules], "durationSeconds", seconds,
	}
	if err != nil {
		values = append(values, "cause", err.Error())
	}
	logger.Info("decided", values...)
}
