// Command rune-webhook is Rune's admission webhook. See pkg/webhook for what it does and
// `rune-webhook --help` for its modes.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/signature"
	"github.com/runeframeos/kubectl-rune/pkg/version"
	"github.com/runeframeos/kubectl-rune/pkg/webhook"
)

const usage = `rune-webhook answers the API server's admission reviews by the rules of Rune's Environments.

  in a cluster    rune-webhook
  outside of one  rune-webhook --kubeconfig FILE --url https://HOST:PORT
  from files      rune-webhook --config DIRECTORY      (no API server at all)

Flags:
`

type options struct {
	webhook.Options
	images                imageOptions
	config, certDir       string
	kubeconfig, namespace string
	debug, version        bool
}

func (o *options) flags(errOut io.Writer) *pflag.FlagSet {
	flags := pflag.NewFlagSet("rune-webhook", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.Usage = func() { fmt.Fprint(errOut, usage+flags.FlagUsages()) }
	flags.StringVar(&o.config, "config", "", "directory with Environments and ImagePolicies as YAML; serves without an API server")
	flags.StringVar(&o.certDir, "cert-dir", "", "where --config keeps its certificates, ca.crt among them (default: a temporary directory, named in the log)")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig of the API server; needs --url")
	o.AddFlags(flags)
	o.images.addFlags(flags)
	flags.StringVar(&o.namespace, "namespace", v1alpha1.SystemNamespace, "namespace of the webhook's Secrets, Lease and Service")
	flags.BoolVar(&o.debug, "debug", false, "log more")
	flags.BoolVar(&o.version, "version", false, "print the version and exit")
	return flags
}

func (o *options) validate(args []string) error {
	switch {
	case len(args) > 0:
		return fmt.Errorf("unexpected argument %q", args[0])
	case o.config != "" && o.kubeconfig != "":
		return errors.New("--config and --kubeconfig exclude each other: the one serves from files, the other from an API server")
	case o.certDir != "" && o.config == "":
		return errors.New("--cert-dir needs --config: with an API server certificates are kept in a Secret")
	case o.kubeconfig != "" && o.URL == "":
		return errors.New("--kubeconfig needs --url: the API server must be told where this process is")
	default:
		return nil
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, stop, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, stop func(), args []string, out, errOut io.Writer) error {
	o := &options{}
	flags := o.flags(errOut)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return nil
		}
		return err
	}
	if o.version {
		_, err := fmt.Fprintln(out, "rune-webhook", version.Get())
		return err
	}
	if err := o.validate(flags.Args()); err != nil {
		return err
	}
	if err := signature.ClearEnvironment(); err != nil {
		return err
	}
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	var err error
	if o.NewImages, err = o.images.verifier(); err != nil {
		return err
	}
	o.Clock = clock.RealClock{}
	o.Log = newLogger(errOut, o.debug)
	o.Log.Info("starting", "version", version.Get().String())
	return o.serve(ctx)
}

func (o *options) serve(ctx context.Context) error {
	if o.config != "" {
		return webhook.RunFiles(ctx, webhook.FileOptions{Options: o.Options, Directory: o.config, CertDir: o.certDir})
	}
	config, err := o.restConfig()
	if err != nil {
		return err
	}
	config.UserAgent = "rune-webhook/" + version.Get().String()
	return webhook.RunCluster(ctx, webhook.ClusterOptions{
		Options:         o.Options,
		Config:          config,
		Namespace:       o.namespace,
		CreateNamespace: o.kubeconfig != "",
	})
}

func (o *options) restConfig() (*rest.Config, error) {
	if o.kubeconfig == "" {
		config, err := rest.InClusterConfig()
		if errors.Is(err, rest.ErrNotInCluster) {
			return nil, errors.New("not running in a cluster: use --kubeconfig FILE --url https://HOST:PORT, or --config DIRECTORY to serve from files")
		}
		return config, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading --kubeconfig: %w", err)
	}
	return config, nil
}
