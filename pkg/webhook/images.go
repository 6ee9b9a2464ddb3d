package webhook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/prewarm"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/verdictstore"
)

// loadTimeout bounds how long the start waits for stored verdicts.
const loadTimeout = 10 * time.Second

// errNoImages says that the caller chose no verifier.
var errNoImages = errors.New("starting the webhook: no verifier of images")

// Images verifies images, and remembers what it verified.
type Images interface {
	admission.Images
	// Load takes over what is stored. It may be called again.
	Load(ctx context.Context) error
	// Run stores what was verified until ctx ends, and once more then.
	Run(ctx context.Context) error
}

// ImagesConfig is what a verifier of images gets from the webhook. What is nil is not there in its mode.
type ImagesConfig struct {
	// Verdicts keeps what was verified between processes.
	Verdicts Verdicts
	// PullSecrets reads those of Pods.
	PullSecrets PullSecrets
	// KeySecrets reads public keys.
	KeySecrets KeySecrets
	Registerer prometheus.Registerer
	Clock      clock.WithTicker
	Log        logr.Logger
}

// Verdicts keeps records between processes.
type Verdicts interface {
	Load(ctx context.Context) (map[string]proof.Record, error)
	Find(ctx context.Context, key string) (record proof.Record, found bool, err error)
	Save(ctx context.Context, changed map[string]proof.Record) error
}

// PullSecrets reads the pull secrets of a ServiceAccount and those that are named, without those that do not exist.
type PullSecrets interface {
	PullSecrets(ctx context.Context, namespace, serviceAccount string, names []string) ([]corev1.Secret, error)
}

// KeySecrets reads one key of a Secret in the webhook's own namespace.
type KeySecrets interface {
	KeySecret(ctx context.Context, name, key string) ([]byte, error)
}

// loadVerdicts never fails: what is not known is asked for.
func loadVerdicts(ctx context.Context, images Images, log logr.Logger) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	if err := images.Load(ctx); err != nil {
		log.Error(err, "starting without what was verified before; it is read again later")
	}
}

// imagesRunner runs a verifier in every replica, leader or not.
type imagesRunner struct{ images Images }

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (imagesRunner) NeedLeaderElection() bool { return false }

// Start implements manager.Runnable.
func (r imagesRunner) Start(ctx context.Context) error { return r.images.Run(ctx) }

// addImages makes what verifies images, with what it needs of the API server.
func (w *clusterWebhook) addImages() (err error) {
	live := secrets{live: w.mgr.GetAPIReader(), namespace: w.options.Namespace}
	w.images, err = w.options.NewImages(ImagesConfig{
		Verdicts: verdictstore.New(verdictstore.Options{
			Live:      w.mgr.GetAPIReader(),
			Writer:    w.mgr.GetClient(),
			Namespace: w.options.Namespace,
			Labels:    labels(),
			Keys:      w.keys,
			Clock:     w.options.Clock,
			Log:       w.options.Log.WithName("verdicts"),
		}),
		PullSecrets: live,
		KeySecrets:  live,
		Registerer:  ctrlmetrics.Registry,
		Clock:       w.options.Clock,
		Log:         w.options.Log.WithName("images"),
	})
	if err != nil {
		return err
	}
	if err := w.mgr.Add(imagesRunner{w.images}); err != nil {
		return fmt.Errorf("adding the verifier of images: %w", err)
	}
	return nil
}

// addPrewarmer makes the manager ask about the images of running pods.
func (w *clusterWebhook) addPrewarmer(source policies) error {
	inspector, err := admission.NewInspector(w.images, w.options.Clock)
	if err != nil {
		return err
	}
	err = w.mgr.Add(prewarm.New(prewarm.Options{
		Reader:    w.mgr.GetAPIReader(),
		Policies:  source,
		Inspector: inspector,
		Started:   w.started,
		Clock:     w.options.Clock,
		Log:       w.options.Log.WithName("prewarm"),
	}))
	if err != nil {
		return fmt.Errorf("adding what asks about running images: %w", err)
	}
	return nil
}
