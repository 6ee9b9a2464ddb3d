package admission

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
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
	// AuditViolations holds everything that was violated, of any degree, where anything was.
	AuditViolations = "violations"
	// AuditStale says which images were admitted by earlier answers, because their registries fail.
	AuditStale = "stale"
	// AuditExemptions lists the Exemptions that lifted a violation, sorted and separated by commas.
	AuditExemptions = "exemptions"
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

// Bounds of what is told beside a verdict, in bytes. The API server cuts warnings of more than 256 characters and
// drops those beyond 4096 in all (k8s.io/apiserver/pkg/endpoints/filters/warning.go); other webhooks warn too.
const (
	maxWarning         = 256
	maxWarnings        = 3 * 1024
	maxAuditAnnotation = 16 * 1024
)

// maxOfRule violations of one rule and degree are held of an object: more than one answer tells.
const maxOfRule = 200

// decision is what one of the doors concluded.
type decision struct {
	// judged is false where there was nothing to judge.
	judged bool
	// what names the object to people.
	what string
	// enforcement decides what an error does: the strictest degree of the environment's rules; empty means Enforce, also
	// where no Environment was read.
	enforcement v1alpha1.Enforcement
	verdict     policy.Verdict
	// lenient violations never deny: an approval that is missing on a dry run.
	lenient []policy.Violation
	patch   []jsonpatch.Operation
	// stale says of images that they were judged by earlier answers, because their registries fail; sorted.
	stale []string
	// note is told below a denial and in the log: what could not be found out on the way.
	note string
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
	if err == nil && d.note != "" {
		err = errors.New(d.note)
	}
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

func isDryRun(request *admissionv1.AdmissionRequest) bool {
	return request.DryRun != nil && *request.DryRun
}

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
	response.Warnings = warnings(environment, append(d.verdict.Degree(v1alpha1.EnforcementWarn), d.lenient...))
	if len(d.stale) > 0 {
		response.Warnings = append(staleWarnings(environment, d.stale), response.Warnings...)
		response.AuditAnnotations[AuditStale] = bounded(strings.Join(d.stale, "\n"), maxAuditAnnotation)
	}
	if len(d.verdict.Exempted) > 0 {
		response.AuditAnnotations[AuditExemptions] = exemptionList(d.verdict)
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
	verdict := VerdictAudited
	response := admitted(verdict)
	switch {
	case !d.verdict.Allowed():
		verdict = VerdictDenied
		response = denial(d.verdict.Denials(), http.StatusForbidden, metav1.StatusReasonForbidden, denialMessage(environment, d))
	case len(d.verdict.Degree(v1alpha1.EnforcementWarn)) > 0:
		verdict = VerdictWarned
		response = admitted(verdict)
	}
	response.AuditAnnotations[AuditViolations] = bounded(d.verdict.Report(environment, d.what), maxAuditAnnotation)
	response.AuditAnnotations[AuditRules] = ruleList(d.verdict)
	return response, verdict
}

func denialMessage(environment string, d decision) string {
	if environment == "" {
		// The object is no part of an environment but describes what holds in one.
		var text strings.Builder
		fmt.Fprintf(&text, "%s cannot be used to judge by:", d.what)
		told, left := policy.Told(d.verdict.Denials())
		for _, violation := range told {
			text.WriteString("\n  " + violation.String())
		}
		if left > 0 {
			fmt.Fprintf(&text, "\n  and %d more", left)
		}
		return text.String()
	}
	message := d.verdict.Message(environment, d.what)
	if d.note != "" {
		message += "\n  (" + d.note + ")"
	}
	return message
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
		response.Warnings = []string{bounded(message, maxWarning)}
	case v1alpha1.EnforcementAudit:
		response = admitted(VerdictUndecided)
	default:
		response = denial(nil, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, message)
	}
	response.AuditAnnotations[AuditVerdict] = VerdictUndecided
	response.AuditAnnotations[AuditViolations] = bounded(message, maxAuditAnnotation)
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
	told, _ := policy.Told(violations)
	for _, violation := range told {
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

// exemptionList names the Exemptions that were used.
func exemptionList(verdict policy.Verdict) string {
	names := make([]string, len(verdict.Exempted))
	for i, exempted := range verdict.Exempted {
		names[i] = exempted.Exemption
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ",")
}

// warnings are one for each violation, as many as there is room for; the last one says how many are not told.
func warnings(environment string, violations []policy.Violation) []string {
	var texts []string
	total := 0
	for i, violation := range violations {
		text := warning(environment, violation)
		if total += len(text); total > maxWarnings {
			return append(texts, bounded(fmt.Sprintf("environment %q: %d more violations, which `kubectl rune check` lists", environment, len(violations)-i), maxWarning))
		}
		texts = append(texts, text)
	}
	return texts
}

// warning is cut before the rule, which is what people look up.
func warning(environment string, violation policy.Violation) string {
	rule := fmt.Sprintf("  [%s]", violation.Rule)
	text := strings.TrimSuffix(fmt.Sprintf("environment %q: %s", environment, violation), rule)
	return bounded(strings.ReplaceAll(text, "\n", " "), maxWarning-len(rule)) + rule
}

// bounded shortens a text to a number of bytes, at a boundary of characters; warnings have one line.
func bounded(text string, limit int) string {
	if limit == maxWarning {
		text = strings.ReplaceAll(text, "\n", " ")
	}
	if len(text) <= limit {
		return text
	}
	const ellipsis = "…"
	end := limit - len(ellipsis)
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
		"rules", response.AuditAnnotations[AuditRules], "exemptions", response.AuditAnnotations[AuditExemptions],
		"durationSeconds", seconds,
	}
	if err != nil {
		values = append(values, "cause", err.Error())
	}
	logger.Info("decided", values...)
}
