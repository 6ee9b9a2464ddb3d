package canary

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/complete"
	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
	"github.com/runeframeos/kubectl-rune/pkg/cli/delivery"
	"github.com/runeframeos/kubectl-rune/pkg/cli/drive"
	"github.com/runeframeos/kubectl-rune/pkg/cli/images"
	"github.com/runeframeos/kubectl-rune/pkg/cli/subject"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
)

// Options of the command.
type Options struct {
	Workload string
	Images   []string
	Plan     delivery.Flags
	Common   drive.Flags

	set        images.Set
	connection *connect.Connection
	genericiooptions.IOStreams
}

const long = `Bring a new image to a deployment in steps: a few pods first, watched at each step, then more, then all.

The deployment's own pods are not touched before the last step. When the new pods fail, a smoke test
fails or the deadline passes, the release is taken back by itself (exit code 2).

The plan is the one of the environment that covers the namespace. Without one it is the standards'
default: 10 %, 5 minutes, 50 %, 5 minutes, all. --steps and --pause change the steps, --filename
gives a whole plan with smoke tests.`

const example = `  # Bring version 2 to the only container, by the environment's plan
  kubectl rune canary deployment/web --image registry.example.com/web:v2

  # Name the container, and choose steps of your own
  kubectl rune canary deployment/web --image web=registry.example.com/web:v2 --steps 10,50 --pause 2m

  # A plan from a file, with smoke tests
  kubectl rune canary deployment/web --image web=registry.example.com/web:v2 -f plan.yaml

  # Let the API server judge it without changing anything
  kubectl rune canary deployment/web --image registry.example.com/web:v2 --dry-run=server`

// NewCommand makes the command.
func NewCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	o := &Options{IOStreams: streams}
	cmd := &cobra.Command{
		Use:               "canary deployment/NAME --image [CONTAINER=]REFERENCE",
		Short:             "Bring a new image to a deployment in steps",
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
	cmd.Flags().StringArrayVar(&o.Images, "image", nil, "new image, as CONTAINER=REFERENCE, *=REFERENCE for all containers, or REFERENCE for the only one; may be repeated")
	o.Plan.AddStepFlags(cmd.Flags())
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
	if o.set, err = images.Parse(o.Images); err != nil {
		return err
	}
	o.connection, err = connect.Open(flags, o.ErrOut)
	return err
}

// Validate checks the flags.
func (o *Options) Validate() error {
	if len(o.set) == 0 {
		return errors.New("--image is missing: say what to bring, as in --image web=registry.example.com/web:v2")
	}
	if err := o.Plan.Validate(); err != nil {
		return err
	}
	return o.Common.Validate()
}

// Run requests the release and drives it.
func (o *Options) Run(ctx context.Context) error {
	environment, err := o.connection.EnvironmentOf(ctx, o.connection.Namespace)
	if err != nil {
		return err
	}
	plan, err := o.Plan.Plan(environment, o.In)
	if err != nil {
		return err
	}
	if o.Plan.File != "" && plan.Strategy != v1alpha1.StrategyCanary {
		return errors.New("the plan's strategy is " + string(plan.Strategy) + ": a canary needs Canary")
	}
	if err := delivery.Fits(&plan, v1alpha1.StrategyCanary); err != nil {
		return err
	}
	request := engine.Request{
		Namespace: o.connection.Namespace, Workload: o.Workload,
		Action: v1alpha1.ActionCanary, Strategy: v1alpha1.StrategyCanary,
		Edit: o.set.Apply, Delivery: plan, Reason: o.Common.Reason, DryRun: o.Common.ServerDryRun(),
	}
	if environment != nil {
		request.Environment = environment.Name
	}
	driver, err := drive.New(o.connection, o.IOStreams)
	if err != nil {
		return err
	}
	if o.Common.ClientDryRun() {
		return driver.Preview(ctx, request)
	}
	return driver.Start(ctx, request)
}
