package check

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
	"github.com/runeframeos/kubectl-rune/pkg/cli/exit"
	"github.com/runeframeos/kubectl-rune/pkg/cli/manifest"
	"github.com/runeframeos/kubectl-rune/pkg/cli/report"
	"github.com/runeframeos/kubectl-rune/pkg/cli/verify/registries"
	"github.com/runeframeos/kubectl-rune/pkg/version"
)

// Validation says what is done about fields that Kubernetes does not know; the words are those of kubectl --validate.
type Validation string

// The degrees of validation.
const (
	ValidationStrict Validation = "strict"
	ValidationWarn   Validation = "warn"
	ValidationIgnore Validation = "ignore"
)

// Options of the command.
type Options struct {
	// Manifests to read.
	Manifests manifest.Options
	// Environment by name; empty for that of each object's namespace.
	Environment string
	// Config are directories and files with Environments; without any they are read from the cluster.
	Config []string
	// Namespace of objects that name none; empty where none was given.
	Namespace string
	Output    report.Format
	// FailOn is the weakest degree whose violations make the command fail: enforce, warn or audit.
	FailOn string
	// AllowSkipped lets objects with pods pass that no rules were found for.
	AllowSkipped bool
	// Validate says what is done about unknown fields.
	Validate Validation
	// VerifyImages asks registries whether images satisfy the ImagePolicies of their environment.
	VerifyImages bool
	// Registries says how.
	Registries registries.Source

	// Version of the program, for formats that name their tool.
	Version string
	Clock   clock.PassiveClock

	// connection is nil where the environments come from files.
	connection *connect.Connection
	// images asks registries; nil where signatures are not verified.
	images    admission.Images
	threshold v1alpha1.Enforcement
	genericiooptions.IOStreams
}

const long = `Judge manifests by the rules of an environment as admission would, with the line of every violation.

Objects are read from files, directories (-R: those below too; hidden ones are left out), the standard input (-f -)
and kustomizations (-k). The environment is the one that an object's namespace belongs to, or --environment. It comes
from --config, and then no cluster and no network is needed, or from the cluster of the current context.

Judged at admission only, and named in the output: approval and access, and signatures unless --verify-images asks the
registries, with your own credentials and, where there is a cluster, the pull secrets of each object as far as you may
read them. Exemptions are not known here. PodDisruptionBudgets and HorizontalPodAutoscalers are looked for among the
manifests, not in a cluster.

What the API server sets where a manifest is silent is set first. LimitRanges of a cluster are not known.

Exit codes: 0 no violation that denies (see --fail-on), 1 something could not be read, holds unknown fields, or holds
pods and is in no environment (see --allow-skipped), 4 violations.`

const example = `  # Judge a directory by the Environments in files, without a cluster
  kubectl rune check -f manifests/ --config environments/

  # Judge what an overlay builds by the rules of production, for code review
  kubectl rune check -k overlays/production --environment production --config environments/ -o sarif > rune.sarif

  # Judge the output of another tool by the environments of the cluster
  helm template web chart/ | kubectl rune check -f - -n shop-prod

  # Verify the images too: --config holds ImagePolicies beside the Environments
  kubectl rune check -f manifests/ --config environments/ --verify-images

  # Fail on warnings too
  kubectl rune check -R -f . --config environments/ --fail-on warn`

// NewCommand makes the command.
func NewCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	o := &Options{
		Output: report.Table, FailOn: "enforce", Validate: ValidationStrict,
		Version: version.Get().Version, Clock: clock.RealClock{}, IOStreams: streams,
	}
	cmd := &cobra.Command{
		Use:               "check (-f PATH | -k DIRECTORY)...",
		Short:             "Judge manifests by the rules of an environment, also offline",
		Long:              long,
		Example:           example,
		Args:              noArguments,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Validated(); err != nil {
				return err
			}
			if err := o.Complete(flags); err != nil {
				return err
			}
			return o.Run(cmd.Context())
		},
	}
	o.addFlags(cmd)
	return cmd
}

func noArguments(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("%q is no flag: name manifests with -f %s", args[0], args[0])
}

func (o *Options) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVarP(&o.Manifests.Filenames, "filename", "f", nil, "file or directory with manifests, or - for the standard input; repeatable")
	f.StringSliceVarP(&o.Manifests.Kustomizations, "kustomize", "k", nil, "directory that holds a kustomization file; repeatable")
	f.BoolVarP(&o.Manifests.Recursive, "recursive", "R", false, "read the directories below those of -f too")
	f.StringVarP(&o.Environment, "environment", "e", "", "judge everything by this Environment; default: that of each object's namespace")
	f.StringSliceVar(&o.Config, "config", nil, "directory or file with Environments and ImagePolicies; repeatable; default: the cluster's")
	f.StringVarP((*string)(&o.Output), "output", "o", string(o.Output), "output format: "+strings.Join(report.Formats(), ", "))
	f.StringVar(&o.FailOn, "fail-on", o.FailOn, "weakest enforcement whose violations give exit code 4: enforce, warn or audit")
	f.BoolVar(&o.AllowSkipped, "allow-skipped", false, "do not fail where objects with pods are in no environment or of an undeclared kind")
	f.StringVar((*string)(&o.Validate), "validate", string(o.Validate), "what to do about fields that Kubernetes does not know: strict, warn or ignore")
	f.BoolVar(&o.VerifyImages, "verify-images", false, "judge signatures too: ask the registries of images, by the ImagePolicies beside the Environments")
	o.Registries.AddFlag(cmd)
	// The only error is a flag that does not exist.
	_ = cmd.MarkFlagFilename("filename", "yaml", "yml", "json")
	_ = cmd.MarkFlagDirname("kustomize")
	for name, values := range map[string][]string{
		"output": report.Formats(), "fail-on": {"enforce", "warn", "audit"}, "validate": {"strict", "warn", "ignore"},
	} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
}

// Validated checks the flags.
func (o *Options) Validated() error {
	var errs []error
	if len(o.Manifests.Filenames)+len(o.Manifests.Kustomizations) == 0 {
		errs = append(errs, errors.New("nothing to check: name manifests with -f PATH, or a kustomization with -k DIRECTORY"))
	}
	if err := o.Output.Validate(); err != nil {
		errs = append(errs, err)
	}
	var err error
	if o.threshold, err = report.Threshold(o.FailOn); err != nil {
		errs = append(errs, err)
	}
	switch o.Validate {
	case ValidationStrict, ValidationWarn, ValidationIgnore:
	default:
		errs = append(errs, fmt.Errorf("--validate %s is unknown: write strict, warn or ignore", o.Validate))
	}
	if o.Registries.Given() && !o.VerifyImages {
		errs = append(errs, errors.New("--registries, --tuf-mirror and --tuf-root go with --verify-images: without it no registry is asked"))
	}
	return errors.Join(errs...)
}

// Complete reads the kubeconfig where the environments come from the cluster.
func (o *Options) Complete(flags *genericclioptions.ConfigFlags) error {
	o.Manifests.Stdin = o.In
	if flags.Namespace != nil {
		o.Namespace = *flags.Namespace
	}
	if len(o.Config) > 0 {
		return o.completeImages()
	}
	connection, err := connect.Open(flags, o.ErrOut)
	if errors.Is(err, connect.ErrNoCluster) {
		return errors.New("no environments to judge by: name files that hold them with --config PATH, or set KUBECONFIG to read them from a cluster")
	}
	if err != nil {
		return err
	}
	o.connection, o.Namespace = connection, connection.Namespace
	return o.completeImages()
}

// completeImages opens the way to registries where they are asked.
func (o *Options) completeImages() (err error) {
	if o.VerifyImages {
		o.images, err = o.Registries.Images(o.connection)
	}
	return err
}

// Run reads, judges and reports.
func (o *Options) Run(ctx context.Context) error {
	set, err := manifest.Read(ctx, o.Manifests)
	if err != nil {
		return err
	}
	world, err := o.newWorld(ctx, set)
	if err != nil {
		return err
	}
	found, err := o.judge(ctx, set, world)
	if err != nil {
		return err
	}
	if err := o.Output.Write(o.Out, found, o.Version); err != nil {
		return err
	}
	fmt.Fprintln(o.ErrOut, report.Plain(found.Line("checked")))
	return o.outcome(found)
}

// outcome is the exit code. What could not be read goes before violations: the judgement is not whole.
func (o *Options) outcome(found *report.Report) error {
	var unread []string
	for _, problem := range found.Problems {
		unread = append(unread, "  "+report.Plain((&manifest.Problem{
			File: problem.Source.File, Line: problem.Source.Line, Column: problem.Column, Message: problem.Message}).Error()))
	}
	for i := range found.Results {
		if result := &found.Results[i]; result.Err != nil {
			unread = append(unread, "  "+report.Plain(fmt.Sprintf("%s:%d: %v", result.Source.File, result.Source.Line, result.Err)))
		}
	}
	switch {
	case len(unread) > 0:
		return fmt.Errorf("not everything could be judged:\n%s", strings.Join(unread, "\n"))
	case found.Fails(o.threshold):
		return exit.With(exit.Denied, nil)
	}
	var errs []error
	if found.Broken() {
		errs = append(errs, errors.New("manifests hold fields that an API server refuses: mend them (unknown fields alone are let through with --validate=warn)"))
	}
	if len(found.Skipped) > 0 && !o.AllowSkipped {
		errs = append(errs, unasked(len(found.Skipped)))
	}
	return errors.Join(errs...)
}

// unasked is the error of objects that hold pods and were judged by no rules: what nobody judged is not good.
func unasked(skipped int) error {
	objects := "1 object holds"
	if skipped > 1 {
		objects = fmt.Sprintf("%d objects hold", skipped)
	}
	return fmt.Errorf("%s pods and no rules were asked (skipped): name the namespace with -n NAMESPACE, judge by one environment with --environment NAME, or let them pass with --allow-skipped", objects)
}
