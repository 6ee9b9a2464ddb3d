package promote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/complete"
	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
	"github.com/runeframeos/kubectl-rune/pkg/cli/delivery"
	"github.com/runeframeos/kubectl-rune/pkg/cli/drive"
	"github.com/runeframeos/kubectl-rune/pkg/cli/subject"
	"github.com/runeframeos/kubectl-rune/pkg/cli/terminal"
)

// Options of the command.
type Options struct {
	Workload string
	To, From string
	Plan     delivery.Flags
	Common   drive.Flags
	Yes      bool

	connection *connect.Connection
	genericiooptions.IOStreams
}

const long = `Bring what runs in one environment to the next: the exact image digests that all its ready pods run.

The deployment gets the size and the resources of the target environment and is released by that
environment's plan. Where it does not exist there yet, it is created from the source's manifest.

The namespace in the target is --namespace where the environment covers it, else its only one.

The command asks before it begins, unless the target has autoDeploy: true or asks other people for approval
anyway. Without a terminal it needs --yes then.`

const example = `  # Bring deployment web from staging to production
  kubectl rune promote deployment/web --to production

  # From an environment other than the one that production names in spec.promotesFrom
  kubectl rune promote deployment/web --to production --from hotfix --reason "CVE in libfoo"`

// NewCommand makes the command.
func NewCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	o := &Options{IOStreams: streams}
	cmd := &cobra.Command{
		Use:               "promote deployment/NAME --to ENVIRONMENT",
		Short:             "Bring what runs in one environment to the next, by digest",
		Long:              long,
		Example:           example,
		ValidArgsFunction: complete.Names(flags, subject.Deployment),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.Complete(flags, args); err != nil {
				return err
			}
			if err := o.Validate(); err != nil {
				return err
			}
			return o.Run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&o.To, "to", "", "environment to bring it to")
	cmd.Flags().StringVar(&o.From, "from", "", "environment to take it from (default: the target's spec.promotesFrom)")
	o.Plan.AddTimeoutFlag(cmd.Flags())
	o.Common.AddReasonFlag(cmd.Flags())
	o.Common.AddDryRunFlag(cmd)
	cmd.Flags().BoolVarP(&o.Yes, "yes", "y", false, "do not ask")
	return cmd
}

// Complete fills in what flags leave open.
func (o *Options) Complete(flags *genericclioptions.ConfigFlags, args []string) error {
	target, err := subject.Parse(args, subject.Deployment)
	if err != nil {
		return err
	}
	o.Workload = target.Name
	o.connection, err = connect.Open(flags, o.ErrOut)
	return err
}

// Validate checks the flags.
func (o *Options) Validate() error {
	if o.To == "" {
		return errors.New("--to is missing: name the environment to bring it to, as in --to production")
	}
	if o.To == o.From {
		return fmt.Errorf("--from and --to are both %q", o.To)
	}
	if err := o.Plan.Validate(); err != nil {
		return err
	}
	return o.Common.Validate()
}

// Run finds what to promote and where, requests the release and drives it.
func (o *Options) Run(ctx context.Context) error {
	source, target, err := o.environments(ctx)
	if err != nil {
		return err
	}
	namespace, err := o.targetNamespace(ctx, target)
	if err != nil {
		return err
	}
	running, err := o.findSource(ctx, source)
	if err != nil {
		return err
	}
	plan, err := o.Plan.Plan(target, o.In)
	if err != nil {
		return err
	}
	request, err := o.request(ctx, running, target, namespace, plan)
	if err != nil {
		return err
	}
	for _, name := range running.names() {
		fmt.Fprintf(o.ErrOut, "%s runs %s in %s (namespace %s, %d ready pods)\n",
			name, running.images[name], source.Name, running.deployment.Namespace, running.pods)
	}
	driver, err := drive.New(o.connection, o.IOStreams)
	if err != nil {
		return err
	}
	if o.Common.ClientDryRun() {
		return driver.Preview(ctx, *request)
	}
	if err := o.confirm(target, namespace); err != nil {
		return err
	}
	return driver.Start(ctx, *request)
}

// confirm asks whoever promotes to an environment where nobody else will be asked. What changes nothing, and
// an environment that deploys by itself, needs no answer.
func (o *Options) confirm(target *v1alpha1.Environment, namespace string) error {
	if o.Common.ServerDryRun() || target.Spec.AutoDeploy || target.Spec.Rules.Approval != nil {
		return nil
	}
	what := fmt.Sprintf("Bringing deployment/%s to environment %s (namespace %s)", o.Workload, target.Name, namespace)
	return terminal.Confirm(o.In, o.ErrOut, what, o.Yes)
}

func (o *Options) environments(ctx context.Context) (source, target *v1alpha1.Environment, err error) {
	all, err := o.connection.Environments(ctx)
	if err != nil {
		return nil, nil, err
	}
	if target, err = connect.EnvironmentNamed(all, o.To); err != nil {
		return nil, nil, err
	}
	from := o.From
	if from == "" {
		from = target.Spec.PromotesFrom
	}
	if from == "" {
		return nil, nil, fmt.Errorf("environment %q does not say what it promotes from: give --from", o.To)
	}
	if source, err = connect.EnvironmentNamed(all, from); err != nil {
		return nil, nil, err
	}
	return source, target, nil
}

// targetNamespace is the one that the user named, else the environment's only one. A namespace that
// was typed but is not part of the environment is a mistake; that of the kubectl context is not.
func (o *Options) targetNamespace(ctx context.Context, target *v1alpha1.Environment) (string, error) {
	namespaces := target.Spec.Namespaces
	if target.HasNamespace(o.connection.Namespace) {
		return o.connection.Namespace, nil
	}
	if target.SelectsByLabel() {
		owner, err := o.connection.EnvironmentOf(ctx, o.connection.Namespace)
		if err != nil {
			return "", err
		}
		if owner != nil && owner.Name == target.Name {
			return o.connection.Namespace, nil
		}
	}
	switch {
	case o.connection.NamespaceGiven:
		return "", fmt.Errorf("environment %q does not cover namespace %q, only %s", target.Name, o.connection.Namespace, covered(target))
	case len(namespaces) == 1 && !target.SelectsByLabel():
		return namespaces[0], nil
	default:
		return "", fmt.Errorf("environment %q can cover several namespaces: choose one with --namespace (%s)", target.Name, covered(target))
	}
}

// covered says in words which namespaces an environment covers.
func covered(environment *v1alpha1.Environment) string {
	parts := slices.Clone(environment.Spec.Namespaces)
	if environment.SelectsByLabel() {
		parts = append(parts, "those that match "+metav1.FormatLabelSelector(environment.Spec.NamespaceSelector))
	}
	return strings.Join(parts, ", ")
}
