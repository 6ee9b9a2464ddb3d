package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/certs"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/events"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/registration"
)

// Names of objects in the webhook's namespace.
const (
	CertSecretName = "rune-webhook-cert"
	leaseName      = "rune-webhook"
)

// Intervals of the registration; see registration.Options.
const (
	settle             = time.Second
	reregisterInterval = 10 * time.Minute
)

// Who loses the Lease ends, and with it a replica that answers reviews. The usual 15 and 10 seconds are too short for an
// API server that is slow for a moment.
const (
	leaseDuration = 20 * time.Second
	renewDeadline = 16 * time.Second
)

// answerTime is how long a stopping server waits for answers under way: longer than any may take.
const answerTime = (registration.TimeoutSeconds + 2) * time.Second

// ClusterOptions of a webhook that runs against an API server.
type ClusterOptions struct {
	Options
	// Config of the API server.
	Config *rest.Config
	// Namespace of the webhook's Secrets, Lease and Service.
	Namespace string
	// CreateNamespace makes the namespace where it is missing, for a process outside of the cluster.
	CreateNamespace bool
}

// errNoKinds says what to do where the CustomResourceDefinitions are missing.
var errNoKinds = errors.New("the cluster does not know all kinds of " + v1alpha1.GroupName + "/" + v1alpha1.Version +
	": install them with `kubectl rune install`")

// clusterWebhook is the wiring of one process against an API server.
type clusterWebhook struct {
	options ClusterOptions
	mgr     manager.Manager
	keeper  *certs.Keeper
	keys    *sealKeys
	images  Images
	drain   *drain
	// ready is set once caches are synced, and the certificate and the seal key are there. Then started is closed.
	ready   atomic.Bool
	started chan struct{}
}

// RunCluster serves until ctx ends and then drains.
func RunCluster(ctx context.Context, options ClusterOptions) error {
	if err := options.validate(); err != nil {
		return err
	}
	w, err := newClusterWebhook(options)
	if err != nil {
		return err
	}
	if err := w.requireKinds(); err != nil {
		return err
	}
	if options.CreateNamespace {
		if err := w.createNamespace(ctx); err != nil {
			return err
		}
	}
	later, stop := w.drain.after(ctx, options.DrainDelay, options.Clock, options.Log)
	defer stop()
	if err := w.mgr.Start(later); err != nil {
		return fmt.Errorf("running the webhook: %w", err)
	}
	return nil
}

func newClusterWebhook(options ClusterOptions) (*clusterWebhook, error) {
	w := &clusterWebhook{options: options, drain: &drain{}, started: make(chan struct{})}
	config := rest.CopyConfig(options.Config)
	// Admission waits for these reads. API Priority and Fairness protects the server better than a
	// client-side limit, which would only make requests fail.
	config.QPS = -1
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	w.mgr, err = manager.New(config, manager.Options{
		Scheme:                        scheme,
		Logger:                        options.Log,
		Cache:                         cacheOptions(options.Namespace),
		Metrics:                       metricsserver.Options{BindAddress: orOff(options.MetricsAddress)},
		HealthProbeBindAddress:        orOff(options.ProbeAddress),
		LeaderElection:                true,
		LeaderElectionID:              leaseName,
		LeaderElectionNamespace:       options.Namespace,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 ptr.To(leaseDuration),
		RenewDeadline:                 ptr.To(renewDeadline),
		GracefulShutdownTimeout:       ptr.To(answerTime),
		WebhookServer: ctrlwebhook.NewServer(ctrlwebhook.Options{
			Host:    options.Host,
			Port:    options.Port,
			TLSOpts: []func(*tls.Config){w.tls},
		}),
	})
	if meta.IsNoMatchError(err) {
		return nil, errNoKinds
	}
	if err != nil {
		return nil, fmt.Errorf("connecting to the API server: %w", err)
	}
	w.keys = &sealKeys{
		live:   w.mgr.GetAPIReader(),
		writer: w.mgr.GetClient(),
		secret: types.NamespacedName{Namespace: options.Namespace, Name: SealSecretName},
		clock:  options.Clock,
	}
	w.keeper = certs.NewKeeper(certs.Options{
		Reader:      w.mgr.GetAPIReader(),
		Writer:      w.mgr.GetClient(),
		Secret:      types.NamespacedName{Namespace: options.Namespace, Name: CertSecretName},
		Labels:      labels(),
		Policy:      certs.DefaultPolicy(options.names(options.Namespace)),
		Publication: registration.Publication{Reader: w.mgr.GetAPIReader()},
		Clock:       options.Clock,
	})
	for _, add := range []func() error{w.addImages, w.addServing, w.addControllers, w.addChecks} {
		if err := add(); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// tls configures the serving side. Certificates come from memory.
func (w *clusterWebhook) tls(config *tls.Config) {
	config.MinVersion = tls.VersionTLS12
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return w.keeper.GetCertificate(hello)
	}
}

func (w *clusterWebhook) addServing() error {
	metrics, err := NewMetrics(ctrlmetrics.Registry)
	if err != nil {
		return err
	}
	recorder, err := w.addRecorder()
	if err != nil {
		return err
	}
	// The manager's client would read untyped objects live, which is for the cache to answer.
	source := newPolicies(w.mgr.GetCache(), w.mgr.GetAPIReader())
	judge, err := admission.New(admission.Config{
		Policies: source,
		Images:   w.images,
		Objects:  objects{live: w.mgr.GetAPIReader()},
		Access:   newAccess(w.mgr.GetClient(), w.options.Clock),
		Keys:     w.keys,
		Recorder: recorder,
		Clock:    w.options.Clock,
		Log:      w.options.Log.WithName("admission"),
	})
	if err != nil {
		return err
	}
	if err := w.addPrewarmer(source); err != nil {
		return err
	}
	server := w.mgr.GetWebhookServer()
	h := &handlers{
		judge:   judge,
		metrics: metrics,
		drain:   w.drain,
		clock:   w.options.Clock,
		log:     w.options.Log.WithName("serving"),
		known:   source.known,
		further: clusterDoors(judge),
	}
	h.register(server.Register)
	return nil
}

// addRecorder makes the manager write Events of denials.
func (w *clusterWebhook) addRecorder() (*events.Recorder, error) {
	instance, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("finding out who reports: %w", err)
	}
	recorder, err := events.NewRecorder(events.Options{
		Writer:     w.mgr.GetClient(),
		Clock:      w.options.Clock,
		Log:        w.options.Log.WithName("events"),
		Instance:   instance,
		Registerer: ctrlmetrics.Registry,
	})
	if err != nil {
		return nil, err
	}
	if err := w.mgr.Add(recorder); err != nil {
		return nil, fmt.Errorf("adding the recorder of denials: %w", err)
	}
	return recorder, nil
}

func (w *clusterWebhook) addControllers() error {
	if err := w.mgr.Add(&starter{webhook: w}); err != nil {
		return fmt.Errorf("adding the start-up task: %w", err)
	}
	if err := addCertificateLoader(w.mgr, w.keeper); err != nil {
		return err
	}
	compiler, err := policy.NewCompiler()
	if err != nil {
		return fmt.Errorf("adding the registration controller: %w", err)
	}
	return registration.NewReconciler(registration.Options{
		Reader:     w.mgr.GetAPIReader(),
		Namespaces: w.mgr.GetCache(),
		Compile: func(environment *v1alpha1.Environment) error {
			_, err := compiler.Compile(environment)
			return err
		},
		Writer:       w.mgr.GetClient(),
		Certificates: w.keeper,
		Endpoint:     w.options.endpoint(w.options.Namespace),
		Clock:        w.options.Clock,
		Settle:       settle,
		Interval:     reregisterInterval,
	}).AddTo(w.mgr)
}

func (w *clusterWebhook) addChecks() error {
	checks := map[string]healthz.Checker{
		"draining":    w.drain.check,
		"serving":     w.mgr.GetWebhookServer().StartedChecker(),
		"certificate": func(*http.Request) error { return w.keeper.Ready() },
		"started": func(*http.Request) error {
			if !w.ready.Load() {
				return errStarting
			}
			return nil
		},
	}
	for name, check := range checks {
		if err := w.mgr.AddReadyzCheck(name, check); err != nil {
			return fmt.Errorf("adding readiness check %q: %w", name, err)
		}
	}
	if err := w.mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("adding the liveness check: %w", err)
	}
	return nil
}

// requireKinds says in words what an informer would only time out on.
func (w *clusterWebhook) requireKinds() error {
	for _, kind := range []string{v1alpha1.KindEnvironment, v1alpha1.KindImagePolicy, v1alpha1.KindRelease, v1alpha1.KindApproval, v1alpha1.KindExemption} {
		_, err := w.mgr.GetRESTMapper().RESTMapping(v1alpha1.GroupVersion().WithKind(kind).GroupKind(), v1alpha1.Version)
		if meta.IsNoMatchError(err) {
			return errNoKinds
		}
		if err != nil {
			return fmt.Errorf("asking the API server for its kinds: %w", err)
		}
	}
	return nil
}

func (w *clusterWebhook) createNamespace(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.options.Namespace}}
	err := w.mgr.GetAPIReader().Get(ctx, client.ObjectKeyFromObject(namespace), &corev1.Namespace{})
	if apierrors.IsNotFound(err) {
		err = w.mgr.GetClient().Create(ctx, namespace)
	}
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating Namespace %q: %w", w.options.Namespace, err)
	}
	return nil
}

// orOff turns no address into controller-runtime's word for serving none.
func orOff(address string) string {
	if address == "" {
		return "0"
	}
	return address
}
