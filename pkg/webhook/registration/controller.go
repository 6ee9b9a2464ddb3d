package registration

import (
	"context"
	"fmt"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/stored"
)

// Bounds between which a failed reconciliation is tried again. The default upper bound of a quarter of an
// hour would leave a new Environment unguarded long after the API server is back.
const (
	minRetry = 100 * time.Millisecond
	maxRetry = 15 * time.Second
)

// AddTo makes the manager's leader run the reconciler on every event of Environments, of both
// configurations, of the certificate's Secret and of the labels of Namespaces.
func (r *Reconciler) AddTo(mgr manager.Manager) error {
	one := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: Name}}}
	})
	err := builder.ControllerManagedBy(mgr).
		Named("registration").
		Watches(stored.Object(v1alpha1.KindEnvironment), one, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&admissionregistrationv1.MutatingWebhookConfiguration{}, one).
		Watches(&admissionregistrationv1.ValidatingWebhookConfiguration{}, one).
		Watches(&corev1.Secret{}, one).
		// For the status only: entries select by label, so that a new Namespace is judged from its first moment.
		WatchesMetadata(&corev1.Namespace{}, one, builder.WithPredicates(predicate.LabelChangedPredicate{})).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: 1,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](minRetry, maxRetry),
		}).
		Complete(r)
	if err != nil {
		return fmt.Errorf("adding the registration controller: %w", err)
	}
	return nil
}
