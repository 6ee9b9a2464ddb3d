package registration

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/stored"
)

// Reasons of the condition Enforced.
const (
	// ReasonServed: the entries are in place and API servers have had time to notice.
	ReasonServed = "Served"
	// ReasonPropagating: the entries were written a moment ago.
	ReasonPropagating = "Propagating"
	// ReasonNotWritten: the configurations could not be written.
	ReasonNotWritten = "NotWritten"
	// ReasonNoNamespace: nothing is left to select once system namespaces are taken out.
	ReasonNoNamespace = "NoNamespace"
	// ReasonNamespaceConflict: an older Environment names or selects a namespace of this one. All others are enforced.
	ReasonNamespaceConflict = "NamespaceConflict"
	// ReasonInvalidRules: nobody can judge by the rules. What the entries select is refused.
	ReasonInvalidRules = "InvalidRules"
	// ReasonInvalidSelector: spec.namespaceSelector is none that the API server would take. What was selected before stays so.
	ReasonInvalidSelector = "InvalidSelector"
	// ReasonUnreadable: this build cannot read the object. What its entry selects is refused.
	ReasonUnreadable = "Unreadable"
)

// maxMessage is the API server's limit for a condition's message, in bytes.
const maxMessage = 32768

// writeStatus sets the condition Enforced and returns how long to wait before it can become True.
func (r *Reconciler) writeStatus(ctx context.Context, c coverage, writeErr error) (time.Duration, error) {
	condition, wait := r.condition(c, writeErr)
	environment := &c.environment.Environment
	before := environment.DeepCopy()
	condition.ObservedGeneration = environment.Generation
	condition.LastTransitionTime = metav1.NewTime(r.options.Clock.Now())
	meta.SetStatusCondition(&environment.Status.Conditions, condition)
	environment.Status.ObservedGeneration = environment.Generation
	if apiequality.Semantic.DeepEqual(before.Status, environment.Status) {
		return wait, nil
	}
	err := r.patchStatus(ctx, environment, before)
	// The Environment may be gone by now: its entry goes with the event of that.
	if apierrors.IsNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("writing the status of Environment %q: %w", environment.Name, err)
	}
	return wait, nil
}

// patchStatus sends the difference and takes the answer untyped: the object may hold what this build cannot read.
func (r *Reconciler) patchStatus(ctx context.Context, environment, before *v1alpha1.Environment) error {
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	data, err := patch.Data(environment)
	if err != nil {
		return err
	}
	object := stored.Object(v1alpha1.KindEnvironment)
	object.SetName(environment.Name)
	return r.options.Writer.Status().Patch(ctx, object, client.RawPatch(patch.Type(), data))
}

func (r *Reconciler) condition(c coverage, writeErr error) (metav1.Condition, time.Duration) {
	condition := metav1.Condition{Type: v1alpha1.ConditionEnforced, Status: metav1.ConditionFalse}
	if reason, message := refusal(c, writeErr); reason != "" {
		condition.Reason, condition.Message = reason, cut(message)
		return condition, 0
	}
	if at, ok := r.writtenAt[c.environment.Name]; ok {
		if wait := r.options.Settle - r.options.Clock.Since(at); wait > 0 {
			condition.Reason = ReasonPropagating
			condition.Message = "the webhook's entry was written a moment ago"
			return condition, wait
		}
	}
	condition.Status = metav1.ConditionTrue
	condition.Reason = ReasonServed
	condition.Message = "the API server asks the webhook about " + c.what()
	return condition, 0
}

// refusal says why an Environment is not enforced as it asks to be, nothing where it is.
func refusal(c coverage, writeErr error) (reason, message string) {
	switch {
	case writeErr != nil:
		return ReasonNotWritten, writeErr.Error()
	case c.environment.Err != nil:
		until := "no namespace is guarded"
		if c.guarded() {
			until = "until it can be read everything that is judged in " + c.what() + " is refused"
		}
		return ReasonUnreadable, until + ": " + c.environment.Err.Error()
	case c.invalid != nil:
		message := strings.ReplaceAll(c.invalid.Error(), "\n", "; ")
		if c.guarded() {
			message = "until this is corrected everything that is judged in " + c.what() + " is refused: " + message
		}
		return ReasonInvalidRules, message
	case c.selectorErr != nil:
		message := c.selectorErr.Error()
		if c.guarded() {
			message += "; until this is corrected the API server asks the webhook about " + c.what()
		}
		return ReasonInvalidSelector, message
	case len(c.conflicts) > 0:
		message := strings.Join(c.conflicts, "; ")
		if c.guarded() {
			message += "; the API server asks the webhook about " + c.what()
		}
		return ReasonNamespaceConflict, message
	case !c.guarded():
		return ReasonNoNamespace, "spec.namespaces names system namespaces only"
	}
	return "", ""
}

// cut keeps a message within what the API server stores in a condition.
func cut(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage-len("…")], "") + "…"
}

// guarded tells whether the Environment has an entry for objects.
func (c coverage) guarded() bool { return len(c.namespaces) > 0 || c.selector != nil }

// what the entries of the Environment select, in words.
func (c coverage) what() string {
	var parts []string
	if len(c.namespaces) > 0 {
		parts = append(parts, quoted(c.namespaces))
	}
	if c.selector != nil {
		parts = append(parts, "namespaces with labels that match "+strconv.Quote(metav1.FormatLabelSelector(c.selector)))
	}
	return strings.Join(parts, " and ")
}

func quoted(names []string) string {
	noun := "namespace "
	if len(names) > 1 {
		noun = "namespaces "
	}
	return noun + `"` + strings.Join(names, `", "`) + `"`
}
