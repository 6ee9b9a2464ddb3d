package install

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/dynamic"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
	"github.com/runeframeos/kubectl-rune/pkg/cli/output"
	"github.com/runeframeos/kubectl-rune/pkg/version"
)

// Values of --dry-run.
const (
	dryRunNone   = "none"
	dryRunClient = "client"
	dryRunServer = "server"
)

// Options of the command.
type Options struct {
	Settings Settings
	DryRun   string
	Output   output.Format
	Wait     bool
	Timeout  time.Duration

	client dynamic.Interface
	// poll is how often a state that is waited for is looked at.
	poll time.Duration
	genericiooptions.IOStreams
}

const long = `Install Rune's kinds and its admission webhook into the current cluster, or bring an
installation to this version. Installing twice is harmless.

Nothing is judged before there is an Environment, and then only in the namespaces that it names.`

const example = `  # Install the release that belongs to this plugin
  kubectl rune install

  # Install an image of your own registry, with three replicas
  kubectl rune install --image registry.example.com/rune-webhook:v1 --replicas 3

  # Print the manifests; this needs no cluster
  kubectl rune install --dry-run=client -o yaml > rune.yaml`

// NewCommand makes the command.
func NewCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	o := &Options{IOStreams: streams, poll: 500 * time.Millisecond}
	cmd := &cobra.Command{
		Use:               "install [--image IMAGE]",
		Short:             "Install the kinds and the admission webhook into the cluster",
		Long:              long,
		Example:           example,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Complete(flags); err != nil {
				return err
			}
			return o.Run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&o.Settings.Image, "image", "", "image of the webhook (default "+Repository+":VERSION of this plugin)")
	cmd.Flags().Int32Var(&o.Settings.Replicas, "replicas", 0, "replicas of the webhook (default 2)")
	cmd.Flags().StringVar(&o.DryRun, "dry-run", dryRunNone, "client: only print what would be applied; server: have the API server check it")
	cmd.Flags().Lookup("dry-run").NoOptDefVal = dryRunClient
	cmd.Flags().BoolVar(&o.Wait, "wait", true, "wait until the webhook is available")
	cmd.Flags().DurationVar(&o.Timeout, "timeout", 2*time.Minute, "how long to wait")
	o.Output.AddFlag(cmd)
	// The only error is a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("dry-run", cobra.FixedCompletions([]string{dryRunNone, dryRunClient, dryRunServer}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// Complete fills in what flags leave open. With --dry-run=client it reads no kubeconfig.
func (o *Options) Complete(flags *genericclioptions.ConfigFlags) error {
	if err := o.Validate(); err != nil {
		return err
	}
	if o.Settings.Image == "" {
		image, err := imageOf(version.Get().Version)
		if err != nil {
			return err
		}
		o.Settings.Image = image
	}
	if o.DryRun == dryRunClient {
		return nil
	}
	connection, err := connect.Open(flags, o.ErrOut)
	if err != nil {
		return err
	}
	o.client, err = dynamic.NewForConfig(connection.Config)
	if err != nil {
		return fmt.Errorf("making client: %w", err)
	}
	return nil
}

// Validate checks the flags.
func (o *Options) Validate() error {
	if o.Settings.Replicas < 0 {
		return fmt.Errorf("--replicas=%d: write 1 or more", o.Settings.Replicas)
	}
	if o.Timeout <= 0 {
		return fmt.Errorf("--timeout=%s: write a duration above 0, such as 2m", o.Timeout)
	}
	switch o.DryRun {
	case dryRunNone, dryRunClient, dryRunServer:
	default:
		return fmt.Errorf("--dry-run=%s is unknown: write none, client or server", o.DryRun)
	}
	return o.Output.Validate()
}

// Run installs.
func (o *Options) Run(ctx context.Context) error {
	objects, err := Objects(o.Settings)
	if err != nil {
		return err
	}
	if o.DryRun == dryRunClient {
		for _, object := range objects {
			o.say(object, "created (dry run)")
		}
		return o.print(objects)
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	applied, err := o.applyAll(ctx, objects)
	if err != nil {
		return err
	}
	if err := o.print(applied); err != nil {
		return err
	}
	if o.DryRun == dryRunServer || !o.Wait {
		return nil
	}
	return o.waitAvailable(ctx)
}

// say prints one line per object for people; with -o they do not want any on stdout.
func (o *Options) say(object *unstructured.Unstructured, what string) {
	if !o.Output.Structured() {
		fmt.Fprintf(o.Out, "%s %s\n", TypeName(object), what)
	}
}

// print writes the objects in a structured format: YAML documents, or a JSON List.
func (o *Options) print(objects []*unstructured.Unstructured) error {
	switch o.Output {
	case output.YAML:
		for i, object := range objects {
			if i > 0 {
				fmt.Fprintln(o.Out, "---")
			}
			if err := o.Output.Print(o.Out, object.Object); err != nil {
				return err
			}
		}
	case output.JSON:
		items := make([]any, 0, len(objects))
		for _, object := range objects {
			items = append(items, object.Object)
		}
		return o.Output.Print(o.Out, map[string]any{"apiVersion": "v1", "kind": "List", "items": items})
	}
	return nil
}

// namespace of the installation.
const namespace = v1alpha1.SystemNamespace
