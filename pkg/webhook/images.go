package webhook

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
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
