package version

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apimachineryversion "k8s.io/apimachinery/pkg/version"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
	"github.com/runeframeos/kubectl-rune/pkg/cli/output"
	"github.com/runeframeos/kubectl-rune/pkg/version"
)

// webhookName is the name of the webhook's Deployment and of its container.
const webhookName = "rune-webhook"

// Options of the command.
type Options struct {
	// ClientOnly leaves the cluster alone.
	ClientOnly bool
	Output     output.Format

	// Client is the build that is reported.
	Client version.Info

	connection *connect.Connection
	genericiooptions.IOStreams
}

// Report is what the command prints as JSON or YAML.
type Report struct {
	ClientVersion version.Info `json:"clientVersion"`
	// Webhook is absent with --client and where no webhook is installed.
	Webhook *Webhook `json:"webhook,omitempty"`
	// ServerVersion of the Kubernetes API server; absent with --client.
	ServerVersion *apimachineryversion.Info `json:"serverVersion,omitempty"`
}

// Webhook is the webhook that is installed in the cluster.
type Webhook struct {
	Namespace string `json:"namespace"`
	Image     string `json:"image"`
	Ready     int32  `json:"ready"`
	Wanted    int32  `json:"wanted"`
}

const example = `  # The plugin, the webhook in the cluster and the API server
  kubectl rune version

  # The plugin alone, without touching the network
  kubectl rune version --client -o json`

// NewCommand makes the command.
func NewCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	o := &Options{IOStreams: streams}
	cmd := &cobra.Command{
		Use:               "version",
		Short:             "Print the versions of the plugin, the webhook and the cluster",
		Example:           example,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Complete(flags); err != nil {
				return err
			}
			if err := o.Validate(); err != nil {
				return err
			}
			return o.Run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&o.ClientOnly, "client", false, "print the plugin's version only; touches no cluster")
	o.Output.AddFlag(cmd)
	return cmd
}

// Complete fills in what flags leave open.
func (o *Options) Complete(flags *genericclioptions.ConfigFlags) error {
	o.Client = version.Get()
	if o.ClientOnly {
		return nil
	}
	connection, err := connect.Open(flags, o.ErrOut)
	o.connection = connection
	return err
}

// Validate checks the flags.
func (o *Options) Validate() error { return o.Output.Validate() }

// Run prints the report.
func (o *Options) Run(ctx context.Context) error {
	report := Report{ClientVersion: o.Client}
	if !o.ClientOnly {
		if err := o.askCluster(ctx, &report); err != nil {
			return err
		}
	}
	if o.Output.Structured() {
		return o.Output.Print(o.Out, report)
	}
	o.print(report)
	return nil
}

func (o *Options) askCluster(ctx context.Context, report *Report) error {
	raw, err := o.connection.Kube.Discovery().RESTClient().Get().AbsPath("/version").DoRaw(ctx)
	if err != nil {
		return fmt.Errorf("asking the API server for its version: %w", err)
	}
	server := &apimachineryversion.Info{}
	if err := json.Unmarshal(raw, server); err != nil {
		return fmt.Errorf("reading the API server's version: %w", err)
	}
	report.ServerVersion = server

	found, err := o.connection.Kube.AppsV1().Deployments(v1alpha1.SystemNamespace).Get(ctx, webhookName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		if apierrors.IsForbidden(err) {
			fmt.Fprintf(o.ErrOut, "warning: no right to look for the webhook in namespace %q\n", v1alpha1.SystemNamespace)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading deployment %q: %w", webhookName, err)
	}
	webhook := &Webhook{Namespace: found.Namespace, Ready: found.Status.ReadyReplicas, Wanted: 1}
	if found.Spec.Replicas != nil {
		webhook.Wanted = *found.Spec.Replicas
	}
	for _, container := range found.Spec.Template.Spec.Containers {
		if container.Name == webhookName || webhook.Image == "" {
			webhook.Image = container.Image
		}
	}
	report.Webhook = webhook
	return nil
}

func (o *Options) print(report Report) {
	fmt.Fprintf(o.Out, "Client Version: %s\n", report.ClientVersion)
	if report.ServerVersion == nil {
		return
	}
	if w := report.Webhook; w != nil {
		fmt.Fprintf(o.Out, "Webhook: %s (%d/%d ready)\n", w.Image, w.Ready, w.Wanted)
	} else {
		fmt.Fprintf(o.Out, "Webhook: <none>\n")
	}
	fmt.Fprintf(o.Out, "Server Version: %s\n", report.ServerVersion.GitVersion)
}
