package registration

import (
	"context"
	"fmt"
	"strings"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
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
)

// writeStatus sets the condition Enforced and returns how long to wait before it can become True.
func (r *Reconciler) writeStatus(ctx context.Context, environment *v1alpha1.Environment, shared []string, writeErr error) (time.Duration, error) {
	condition, wait := r.condition(environment, shared, writeErr)
	before := environment.DeepCopy()
	condition.ObservedGeneration = environment.Generation
	condition.LastTransitionTime = metav1.NewTime(r.options.Clock.Now())
	meta.SetStatusCondition(&environment.Status.Conditions, condition)
	environment.Status.ObservedGeneration = environment.Generation
	if apiequality.Semantic.DeepEqual(before.Status, environment.Status) {
		return wait, nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.options.Writer.Status().Patch(ctx, environment, patch); err != nil {
		// The Environment may be gone by now: its entry goes with the event of that.
		if client.IgnoreNotFound(err) == nil {
			return 0, nil
		}
		return 0, fmt.Errorf("writing the status of Environment %q: %w", environment.Name, err)
	}
	return wait, nil
}

func (r *Reconciler) condition(environment *v1alpha1.Environment, shared []string, writeErr error) (metav1.Condition, time.Duration) {
	condition := metav1.Condition{Type: v1alpha1.ConditionEnforced, Status: metav1.ConditionFalse}
	if writeErr != nil {
		condition.Reason = ReasonNotWritten
		condition.Message = writeErr.Error()
		return condition, 0
	}
	selected := namespaces(environment)
	if len(selected) == 0 {
		condition.Reason = ReasonNoNamespace
		condition.Message = "spec.namespaces names system namespaces only"
		return condition, 0
	}
	if at, ok := r.writtenAt[environment.Name]; ok {
		if wait := r.options.Settle - r.options.Clock.Since(at); wait > 0 {
			condition.Reason = ReasonPropagating
			condition.Message = "the webhook's entry was written a moment ago"
			return condition, wait
		}
	}
	condition.Status = metav1.ConditionTrue
	condition.Reason = ReasonServed
	condition.Message = strings.Join(append([]string{
		"the API server asks the webhook about " + quoted(selected),
	}, shared...), "; ")
	return condition, 0
}

func quoted(names []string) string {
	noun := "namespace "
	if len(names) > 1 {
		noun = "namespaces "
	}
	return noun + `"` + strings.Join(names, `", "`) + `"`
}
