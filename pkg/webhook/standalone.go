package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"

	"golang.org/x/sync/errgroup"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/certs"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/files"
)

// errNoCluster is the answer to everything that only an API server knows.
var errNoCluster = errors.New("this webhook serves from files and has no API server, " +
	"so it cannot know Releases, Approvals and owners: run it with --kubeconfig, or take rules.approval out of the Environment")

// FileOptions of a webhook that serves from files alone.
type FileOptions struct {
	Options
	// Directory with Environments and ImagePolicies.
	Directory string
	// CertDir keeps the certificates; empty means a temporary directory.
	CertDir string
}

// RunFiles serves from files until ctx ends and then drains.
func RunFiles(ctx context.Context, options FileOptions) error {
	if err := options.validate(); err != nil {
		return err
	}
	if options.URL == "" {
		options.bindTo("localhost")
		options.URL = "https://" + net.JoinHostPort("localhost", fmt.Sprint(options.Port))
	}
	directory, err := openDirectory(options.Directory)
	if err != nil {
		return err
	}
	source, err := files.Open(ctx, directory, options.Log.WithName("files"))
	if err != nil {
		return fmt.Errorf("reading %s: %w", options.Directory, err)
	}
	if options.CertDir == "" {
		if options.CertDir, err = os.MkdirTemp("", "rune-webhook-"); err != nil {
			return fmt.Errorf("making a certificate directory: %w", err)
		}
		defer os.RemoveAll(options.CertDir)
	}
	certificates, err := certs.OpenDirectory(options.CertDir, certs.DefaultPolicy(options.names("")), options.Clock)
	if err != nil {
		return err
	}
	options.Log.Info("serving from files", "url", options.URL, "directory", options.Directory, "ca", certificates.CAFile())
	for i, environment := 0, source.Set().Environments; i < len(environment); i++ {
		if environment[i].Spec.Rules.Approval != nil {
			options.Log.Info("this Environment asks for approval, which cannot be judged from files: what needs it is refused",
				"environment", environment[i].Name)
		}
	}
	return serveFiles(ctx, options, source, certificates)
}

func serveFiles(ctx context.Context, options FileOptions, source *files.Source, certificates *certs.Directory) error {
	stopping := &drain{}
	images, err := options.NewImages(ImagesConfig{
		Registerer: ctrlmetrics.Registry, Clock: options.Clock, Log: options.Log.WithName("images"),
	})
	if err != nil {
		return err
	}
	server, err := newFileServer(options, images, source, certificates, stopping)
	if err != nil {
		return err
	}
	// Reading the schemas of the configuration takes more memory than serving; it is given back at once.
	debug.FreeOSMemory()
	later, stop := stopping.after(ctx, options.DrainDelay, options.Clock, options.Log)
	defer stop()
	group, later := errgroup.WithContext(later)
	group.Go(func() error { return server.Start(later) })
	group.Go(func() error { source.Watch(later, options.Clock); return nil })
	group.Go(func() error { certificates.Watch(later); return nil })
	group.Go(func() error { return images.Run(later) })
	probes := http.NewServeMux()
	probes.Handle("/healthz", healthz.CheckHandler{Checker: healthz.Ping})
	probes.Handle("/readyz", http.StripPrefix("/readyz", &healthz.Handler{Checks: map[string]healthz.Checker{
		"draining": stopping.check,
		"serving":  server.StartedChecker(),
	}}))
	group.Go(func() error { return servePlain(later, options.ProbeAddress, probes) })
	metrics := http.NewServeMux()
	metrics.Handle("/metrics", promhttp.HandlerFor(ctrlmetrics.Registry, promhttp.HandlerOpts{}))
	group.Go(func() error { return servePlain(later, options.MetricsAddress, metrics) })
	return group.Wait()
}

func newFileServer(options FileOptions, images Images, source *files.Source, certificates *certs.Directory, stopping *drain) (ctrlwebhook.Server, error) {
	metrics, err := NewMetrics(ctrlmetrics.Registry)
	if err != nil {
		return nil, err
	}
	judge, err := admission.New(admission.Config{
		Policies: source,
		Images:   images,
		Objects:  noCluster{},
		Access:   noCluster{},
		Keys:     noCluster{},
		Clock:    options.Clock,
		Log:      options.Log.WithName("admission"),
	})
	if err != nil {
		return nil, err
	}
	server := ctrlwebhook.NewServer(ctrlwebhook.Options{
		Host: options.Host,
		Port: options.Port,
		TLSOpts: []func(*tls.Config){func(config *tls.Config) {
			config.MinVersion = tls.VersionTLS12
			config.GetCertificate = certificates.GetCertificate
		}},
	})
	h := &handlers{
		judge:   judge,
		metrics: metrics,
		drain:   stopping,
		clock:   options.Clock,
		log:     options.Log.WithName("serving"),
		known: func(ctx context.Context, environment string) bool {
			_, err := source.Environment(ctx, environment)
			return err == nil
		},
		absent: func() error { return fmt.Errorf("%s holds %s", options.Directory, environmentNames(source.Set())) },
	}
	h.register(server.Register)
	return server, nil
}

// environmentNames lists what a path may name.
func environmentNames(set *files.Set) string {
	if len(set.Environments) == 0 {
		return "none"
	}
	names := make([]string, len(set.Environments))
	for i := range set.Environments {
		names[i] = set.Environments[i].Name
	}
	return `"` + strings.Join(names, `", "`) + `"`
}

// openDirectory fails with the directory's own name where it is missing or none.
func openDirectory(path string) (fs.FS, error) {
	if _, err := os.ReadDir(path); err != nil {
		return nil, fmt.Errorf("reading --config: %w", err)
	}
	return os.DirFS(path), nil
}

// servePlain serves HTTP until ctx ends; no address or "0" serves nothing.
func servePlain(ctx context.Context, address string, handler http.Handler) error {
	if address == "" || address == "0" {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("serving probes or metrics: %w", err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving probes or metrics on %s: %w", address, err)
	}
	return nil
}

// noCluster implements the ports of admission that need an API server by saying so.
type noCluster struct{}

// Get implements admission.Objects.
func (noCluster) Get(context.Context, schema.GroupVersionKind, string, string) (*unstructured.Unstructured, error) {
	return nil, errNoCluster
}

// List implements admission.Objects. Without an API server there is no Exemption, which is no error.
func (noCluster) List(_ context.Context, kind schema.GroupVersionKind, _ string) ([]unstructured.Unstructured, error) {
	if kind.Group == v1alpha1.GroupName && kind.Kind == v1alpha1.KindExemption {
		return nil, nil
	}
	return nil, errNoCluster
}

// Holds implements admission.Access.
func (noCluster) Holds(context.Context, authenticationv1.UserInfo, string, string) (bool, error) {
	return false, errNoCluster
}

// SealKey implements admission.Keys.
func (noCluster) SealKey(context.Context) ([]byte, error) { return nil, errNoCluster }
