package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
	"github.com/runeframeos/kubectl-rune/pkg/cli/exit"
	"github.com/runeframeos/kubectl-rune/pkg/cli/output"
	"github.com/runeframeos/kubectl-rune/pkg/cli/verify/registries"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// defaultTimeout of the whole command.
const defaultTimeout = time.Minute

// Options of the command.
type Options struct {
	// Images as they were typed.
	Images []string
	// Environment by name; empty for all in which a policy covers an image.
	Environment string
	// Policies by name; empty for all.
	Policies []string
	// Config are directories and files with Environments and ImagePolicies; without any they are read from the cluster.
	Config []string
	// Access names the pull secrets that are used beside the caller's own credentials.
	Access image.Access
	// Registries says how registries are asked.
	Registries registries.Source
	Output     output.Format
	// Timeout of the whole command.
	Timeout time.Duration

	Clock clock.PassiveClock

	// port asks registries.
	port admission.Images
	// connection is nil where no cluster is asked.
	connection *connect.Connection
	genericiooptions.IOStreams
}

// NewCommand makes the command.
func NewCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	o := &Options{Timeout: defaultTimeout, Clock: clock.RealClock{}, IOStreams: streams}
	cmd := &cobra.Command{
		Use:               "verify IMAGE... [-e ENVIRONMENT]",
		Short:             "Say which ImagePolicies an image satisfies, by whom it is signed, and why not",
		Long:              long,
		Example:           example,
		Args:              atLeastOneImage,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Images = args
			if err := o.Validate(); err != nil {
				return err
			}
			if err := o.Complete(flags); err != nil {
				return err
			}
			return o.Run(cmd.Context())
		},
	}
	o.addFlags(cmd, flags)
	return cmd
}

func atLeastOneImage(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return errors.New("nothing to verify: name images, as in `kubectl rune verify registry.example.com/shop/web:v1`")
	}
	return nil
}

func (o *Options) addFlags(cmd *cobra.Command, flags *genericclioptions.ConfigFlags) {
	f := cmd.Flags()
	f.StringVarP(&o.Environment, "environment", "e", "", "ask the ImagePolicies of this environment; default: of all in which one covers the image")
	f.StringSliceVar(&o.Policies, "policy", nil, "ask this ImagePolicy only, by name; repeatable")
	f.StringSliceVar(&o.Config, "config", nil, "directory or file with ImagePolicies and Environments; repeatable; default: the cluster's")
	f.StringVar(&o.Access.ServiceAccount, "service-account", "", "use the pull secrets of this service account; default: with -n that of the name default")
	f.StringSliceVar(&o.Access.PullSecrets, "pull-secret", nil, "use this pull secret of the namespace too; repeatable")
	f.DurationVar(&o.Timeout, "timeout", o.Timeout, "end of the whole command; what could not be told by then is unknown")
	o.Registries.AddFlag(cmd)
	o.Output.AddFlag(cmd)
	o.addCompletion(cmd, flags)
}

// Validate checks the flags and the form of the images.
func (o *Options) Validate() error {
	var errs []error
	if err := o.Output.Validate(); err != nil {
		errs = append(errs, err)
	}
	if o.Timeout <= 0 {
		errs = append(errs, fmt.Errorf("--timeout=%s: write a duration above 0, as 30s", o.Timeout))
	}
	for _, text := range o.Images {
		if _, err := image.Parse(text); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Complete opens the cluster where one is asked, and the way to the registries.
func (o *Options) Complete(flags *genericclioptions.ConfigFlags) error {
	secrets := o.Access.ServiceAccount != "" || len(o.Access.PullSecrets) > 0 || (flags.Namespace != nil && *flags.Namespace != "")
	if secrets || len(o.Config) == 0 {
		connection, err := connect.Open(flags, o.ErrOut)
		switch {
		case errors.Is(err, connect.ErrNoCluster) && len(o.Config) == 0:
			return errors.New("no ImagePolicies to verify by: name files that hold them with --config PATH, or set KUBECONFIG to read them from a cluster")
		case errors.Is(err, connect.ErrNoCluster):
			return fmt.Errorf("pull secrets are read from a cluster, and %w; without -n, --service-account and --pull-secret your own credentials are used", err)
		case err != nil:
			return err
		}
		o.connection = connection
		if secrets {
			o.Access.Namespace = connection.Namespace
		}
	}
	var err error
	o.port, err = o.Registries.Images(o.connection)
	return err
}

// Run asks and prints.
func (o *Options) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	found, err := o.verify(ctx)
	if err != nil {
		return err
	}
	if o.Output.Structured() {
		err = o.Output.Print(o.Out, found)
	} else {
		err = writeTable(o.Out, found, newPaint(o.Out), o.Clock.Now())
	}
	if err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	fmt.Fprintln(o.ErrOut, found.Summary.line())
	return found.outcome()
}

func (o *Options) verify(ctx context.Context) (*Report, error) {
	settings, err := o.settings(ctx)
	if err != nil {
		return nil, err
	}
	if err := settings.pick(o.Policies); err != nil {
		return nil, err
	}
	if names := settings.environmentNames(); o.Environment != "" && !slices.Contains(names, o.Environment) {
		return nil, fmt.Errorf("environment %q does not exist, there are: %s", o.Environment, strings.Join(names, ", "))
	}
	policies, err := compile(settings.policies)
	if err != nil {
		return nil, err
	}
	i := &inspector{
		images: o.port, clock: o.Clock, access: o.Access, environment: o.Environment,
		named: len(o.Policies) > 0, policies: policies, degrees: settings.degrees(),
	}
	return i.all(ctx, o.Images), nil
}

// outcome is the exit code. What nobody could tell goes before what is not satisfied: the answer is not whole.
func (r *Report) outcome() error {
	switch s := r.Summary; {
	case s.Unknown > 0:
		return exit.With(exit.Failed, nil)
	case s.Satisfied < s.Images:
		return exit.With(exit.Denied, nil)
	}
	return nil
}

// line is the summary for people.
func (s Summary) line() string {
	noun := "images"
	if s.Images == 1 {
		noun = "image"
	}
	text := fmt.Sprintf("verified %d %s: %d satisfied", s.Images, noun, s.Satisfied)
	for _, part := range []struct {
		number int
		text   string
	}{
		{s.NotSatisfied, "not satisfied"}, {s.NoPolicy, "covered by no ImagePolicy"}, {s.NoImage, "not existing"},
		{s.Unknown, "of which nobody could tell"},
	} {
		if part.number > 0 {
			text += fmt.Sprintf(", %d %s", part.number, part.text)
		}
	}
	return text
}
