package rollback

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/complete"
	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
	"github.com/runeframeos/kubectl-rune/pkg/cli/delivery"
	"github.com/runeframeos/kubectl-rune/pkg/cli/drive"
	"github.com/runeframeos/kubectl-rune/pkg/cli/subject"
	"github.com/runeframeos/kubectl-rune/pkg/cli/terminal"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// Options of the command.
type Options struct {
	Workload string
	Goal     release.Goal
	Yes      bool
	Plan     delivery.Flags
	Common   drive.Flags

	connection *connect.Connection
	genericiooptions.IOStreams
}

const long = `Bring a deployment back to a pod template that it ran before, at once and without steps.

Without a flag that is the template of the last release that succeeded with another one, else the
previous revision. An unfinished release is taken back first; where nothing else was asked for, that
is the rollback. "kubectl rune history" lists revisions and releases.`

const example = `  # Back to what ran before
  kubectl rune rollback deployment/web --reason "checkout is slow"

  # To a revision of the deployment, or to what a release brought
  kubectl rune rollback deployment/web --to-revision 3
  kubectl rune rollback deployment/web --to-release web-5`

// NewCommand makes the command.
func NewCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	o := &Options{IOStreams: streams}
	cmd := &cobra.Command{
		Use:               "rollback deployment/NAME [--to-revision N | --to-release NAME]",
		Short:             "Bring a deployment back to what it ran before",
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
	cmd.Flags().Int64Var(&o.Goal.Revision, "to-revision", 0, "revision of the deployment to go back to")
	cmd.Flags().StringVar(&o.Goal.Release, "to-release", "", "release whose template to go back to")
	cmd.Flags().BoolVarP(&o.Yes, "yes", "y", false, "do not ask")
	o.Plan.AddTimeoutFlag(cmd.Flags())
	o.Common.AddReasonFlag(cmd.Flags())
	o.Common.AddDryRunFlag(cmd)
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
	if o.Goal.Revision != 0 && o.Goal.Release != "" {
		return errors.New("--to-revision and --to-release both say where to go: leave one out")
	}
	if o.Goal.Revision < 0 {
		return fmt.Errorf("--to-revision %d: revisions begin at 1", o.Goal.Revision)
	}
	if err := o.Plan.Validate(); err != nil {
		return err
	}
	return o.Common.Validate()
}

// Run chooses where to go, asks, takes back what is in flight and goes.
func (o *Options) Run(ctx context.Context) error {
	deployment, err := o.connection.Deployment(ctx, o.connection.Namespace, o.Workload)
	if err != nil {
		return err
	}
	releases, err := o.connection.Releases(ctx, o.connection.Namespace, o.Workload)
	if err != nil {
		return err
	}
	driver, err := drive.New(o.connection, o.IOStreams)
	if err != nil {
		return err
	}
	unfinished := drive.Unfinished(releases)
	if unfinished != nil && o.Goal == (release.Goal{}) {
		return o.takeBack(ctx, driver, unfinished)
	}
	request, goal, err := o.request(ctx, deployment, releases)
	if err != nil {
		return err
	}
	if o.Common.ClientDryRun() {
		return driver.Preview(ctx, *request)
	}
	if unfinished != nil {
		if o.Common.ServerDryRun() {
			return fmt.Errorf("release/%s of deployment %q is unfinished and would be taken back first, which no dry run can do", unfinished.Name, o.Workload)
		}
		if err := o.confirm(fmt.Sprintf("Taking back release/%s and rolling back deployment/%s to %s", unfinished.Name, o.Workload, goal)); err != nil {
			return err
		}
		if err := driver.Abort(ctx, unfinished, engine.AbortOptions{Reason: o.reason()}); err != nil {
			return err
		}
	} else if !o.Common.ServerDryRun() {
		if err := o.confirm(fmt.Sprintf("Rolling back deployment/%s to %s", o.Workload, goal)); err != nil {
			return err
		}
	}
	fmt.Fprintln(o.ErrOut, "going back to "+goal)
	return driver.Start(ctx, *request)
}

// takeBack is the rollback of what has not ended: what ran before comes back.
func (o *Options) takeBack(ctx context.Context, driver *drive.Driver, unfinished *v1alpha1.Release) error {
	if o.Common.ClientDryRun() || o.Common.ServerDryRun() {
		fmt.Fprintf(o.ErrOut, "release/%s is unfinished and would be taken back\n", unfinished.Name)
		_, err := fmt.Fprintf(o.Out, "%s rolled back (dry run)\n", subject.Qualified(subject.Deployment, o.Workload))
		return err
	}
	fmt.Fprintf(o.ErrOut, "release/%s is unfinished: taking it back is the rollback\n", unfinished.Name)
	if err := o.confirm(fmt.Sprintf("Taking back release/%s of deployment/%s", unfinished.Name, o.Workload)); err != nil {
		return err
	}
	return driver.Abort(ctx, unfinished, engine.AbortOptions{Reason: o.reason()})
}

func (o *Options) confirm(what string) error {
	return terminal.Confirm(o.In, o.ErrOut, what+" in namespace "+o.connection.Namespace, o.Yes)
}

func (o *Options) reason() string {
	if o.Common.Reason == "" {
		return "pre-empted by a rollback"
	}
	return o.Common.Reason
}

func (o *Options) request(ctx context.Context, deployment *appsv1.Deployment, releases []v1alpha1.Release) (request *engine.Request, goal string, err error) {
	environment, err := o.connection.EnvironmentOf(ctx, o.connection.Namespace)
	if err != nil {
		return nil, "", err
	}
	plan, err := o.Plan.Plan(environment, o.In)
	if err != nil {
		return nil, "", err
	}
	sets, err := o.connection.ReplicaSets(ctx, deployment)
	if err != nil {
		return nil, "", err
	}
	current, err := release.TemplateOf(&deployment.Spec.Template)
	if err != nil {
		return nil, "", err
	}
	target, err := release.RollbackTarget(current, o.Workload, releases, release.OwnedBy(sets, deployment.UID), o.Goal)
	if err != nil {
		return nil, "", err
	}
	request = &engine.Request{
		Namespace: o.connection.Namespace, Workload: o.Workload,
		Action: v1alpha1.ActionRollback, Strategy: v1alpha1.StrategyRolling,
		Template: &target.Template, Delivery: plan, Reason: o.Common.Reason, DryRun: o.Common.ServerDryRun(),
	}
	if environment != nil {
		request.Environment = environment.Name
	}
	return request, describe(target), nil
}

func describe(target release.Target) string {
	switch {
	case target.Release != "" && target.Revision != 0:
		return fmt.Sprintf("what release/%s brought (revision %d)", target.Release, target.Revision)
	case target.Release != "":
		return fmt.Sprintf("what release/%s brought", target.Release)
	default:
		return fmt.Sprintf("revision %d", target.Revision)
	}
}
