package webhook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/certs"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/stored"
)

// errStarting is what the readiness probe gets before everything is there.
var errStarting = errors.New("starting: waiting for caches, the certificate and the seal key")

// starter makes sure of the certificate and the seal key in every replica, leader or not. The manager
// starts it once the caches that exist by then are synced.
type starter struct {
	webhook *clusterWebhook
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: every replica serves.
func (s *starter) NeedLeaderElection() bool { return false }

// Start implements manager.Runnable.
func (s *starter) Start(ctx context.Context) error {
	log := s.webhook.options.Log.WithName("start")
	ctx = logr.NewContext(ctx, log)
	backoff := wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.2, Steps: 8, Cap: 5 * time.Second}
	err := backoff.DelayFunc().Until(ctx, true, true, func(ctx context.Context) (bool, error) {
		err := s.prepare(ctx)
		if err != nil && ctx.Err() == nil {
			log.Error(err, "not ready yet, trying again")
		}
		return err == nil, nil
	})
	if err != nil {
		// Told to stop before it was ready.
		return nil //nolint:nilerr // the manager would report the stop as a failure
	}
	loadVerdicts(ctx, s.webhook.images, log)
	s.webhook.ready.Store(true)
	close(s.webhook.started)
	log.Info("ready: both endpoints are served")
	<-ctx.Done()
	return nil
}

func (s *starter) prepare(ctx context.Context) error {
	return prepare(ctx,
		s.webhook.keeper.Ensure,
		func(ctx context.Context) error {
			_, err := s.webhook.keys.SealKey(ctx)
			return err
		},
		func(ctx context.Context) error { return syncPolicies(ctx, s.webhook.mgr.GetCache()) },
	)
}

// prepare takes the steps in order: what waits for a cache comes last, so that nothing that a cache
// cannot read keeps a process without its certificate.
func prepare(ctx context.Context, certificate, sealKey, caches func(context.Context) error) error {
	for _, step := range []func(context.Context) error{certificate, sealKey, caches} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// syncPolicies waits for the informers that judgements read: asking for one starts and syncs it.
func syncPolicies(ctx context.Context, informers cache.Informers) error {
	for _, kind := range []string{v1alpha1.KindEnvironment, v1alpha1.KindImagePolicy} {
		if _, err := informers.GetInformer(ctx, stored.Object(kind)); err != nil {
			return fmt.Errorf("syncing the cache of %s objects: %w", kind, err)
		}
	}
	return nil
}

// addCertificateLoader lets every replica take over what another one wrote into the Secret.
func addCertificateLoader(mgr manager.Manager, keeper *certs.Keeper) error {
	err := builder.ControllerManagedBy(mgr).
		Named("certificate").
		For(&corev1.Secret{}).
		WithOptions(controller.Options{NeedLeaderElection: ptr.To(false)}).
		Complete(reconcile.Func(func(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
			secret := &corev1.Secret{}
			err := mgr.GetClient().Get(ctx, request.NamespacedName, secret)
			if apierrors.IsNotFound(err) {
				// The leader writes it again from memory.
				return reconcile.Result{}, nil
			}
			if err == nil {
				err = keeper.Load(secret)
			}
			return reconcile.Result{}, err
		}))
	if err != nil {
		return fmt.Errorf("adding the certificate controller: %w", err)
	}
	return nil
}
