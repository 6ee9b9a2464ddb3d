package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
	"github.com/runeframeos/kubectl-rune/pkg/cli/env"
	"github.com/runeframeos/kubectl-rune/pkg/cli/exit"
	"github.com/runeframeos/kubectl-rune/pkg/cli/report"
	"github.com/runeframeos/kubectl-rune/pkg/cli/verify/registries"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/version"
)

// defaultQPS bounds the requests per second: at 500 objects each, an audit of 10,000 pods takes some seconds.
const defaultQPS = 50

// Options of the command.
type Options struct {
	Source        env.Source
	AllNamespaces bool
	Environment   string
	Output        string
	FailOn        string
	QPS           float32
	Report        bool
	// VerifyImages asks registries whether images satisfy the ImagePolicies of their environment.
	VerifyImages bool
	// Registries says how.
	Registries registries.Source

	// Clock is the real one but in tests.
	Clock      clock.PassiveClock
	connection *connect.Connection
	kube       kubernetes.Interface
	scope      scope
	// images asks registries; nil where signatures are not verified.
	images admission.Images
	genericiooptions.IOStreams
}

const long = `Judge what runs by the rules of the environments: every workload's pod template and every pod as it is, rolled
up to its workload, and what the namespaces themselves hold.

The namespace of the command is judged, with -A those of all environments, with --environment those of that one.
Rules about a request (approval, access) are judged at admission only; the output names them.

Where an environment asks for signatures, the registries of all images are asked, with your own credentials and the pull
secrets of each pod as far as you may read them. --verify-images=false asks none; the output names the rule then.

Exit codes: 4 if a violation denies (or is of the degree that --fail-on names), 1 if something could not be read.
The rest is judged and printed all the same.`

const example = `  # Judge the current namespace
  kubectl rune audit

  # Judge all environments
  kubectl rune audit -A

  # What would production say about what runs in namespace trial?
  kubectl rune audit -n trial --environment production

  # Try new rules out before they are applied to the cluster
  kubectl rune audit -A --config environments/

  # Keep the findings in the cluster, as a Report of openreports.io or a PolicyReport
  kubectl rune audit -A --report`

// NewCommand makes the command.
func NewCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	o := &Options{IOStreams: streams, Clock: clock.RealClock{}}
	cmd := &cobra.Command{
		Use:               "audit [-n NAMESPACE | -A] [--environment NAME]",
		Short:             "Judge what runs by the rules of the environments",
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
	cmd.Flags().BoolVarP(&o.AllNamespaces, "all-namespaces", "A", false, "judge the namespaces of all environments")
	cmd.Flags().StringVarP(&o.Environment, "environment", "e", "", "judge the namespaces of this environment; with -n, judge that namespace by its rules")
	cmd.Flags().StringVarP(&o.Output, "output", "o", string(report.Table), "output format: "+strings.Join(report.Formats(), ", "))
	cmd.Flags().StringVar(&o.FailOn, "fail-on", "enforce", "exit with 4 on violations of this degree and stronger ones: enforce, warn or audit")
	cmd.Flags().Float32Var(&o.QPS, "qps", defaultQPS, "requests per second at most")
	cmd.Flags().BoolVar(&o.Report, "report", false, "write the findings into the cluster too, one report per namespace")
	cmd.Flags().BoolVar(&o.VerifyImages, "verify-images", true, "judge signatures too: ask the registries of images, where an environment asks for signatures")
	o.Registries.AddFlag(cmd)
	o.Source.AddFlag(cmd)
	// The only error is a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(report.Formats(), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("fail-on", cobra.FixedCompletions([]string{"enforce", "warn", "audit"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("environment", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return env.Complete(cmd.Context(), flags, &o.Source), cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

// Complete checks the flags and makes the clients.
func (o *Options) Complete(flags *genericclioptions.ConfigFlags) (err error) {
	if err := o.Validate(); err != nil {
		return err
	}
	if o.connection, err = connect.Open(flags, o.ErrOut); err != nil {
		return err
	}
	if o.AllNamespaces && o.connection.NamespaceGiven {
		return errors.New("-n and -A contradict each other: leave one out")
	}
	o.scope = scope{environment: o.Environment}
	if o.connection.NamespaceGiven || (!o.AllNamespaces && o.Environment == "") {
		o.scope.namespace = o.connection.Namespace
	}
	config := rest.CopyConfig(o.connection.Config)
	// One bucket for all groups of the API.
	config.QPS, config.Burst = o.QPS, max(1, 2*int(o.QPS))
	if o.kube, err = kubernetes.NewForConfig(config); err != nil {
		return fmt.Errorf("making client: %w", err)
	}
	if o.VerifyImages {
		o.images, err = o.Registries.Images(o.connection)
	}
	return err
}

// Validate checks the flags.
func (o *Options) Validate() error {
	if o.QPS <= 0 {
		return fmt.Errorf("--qps=%v: write a number above 0", o.QPS)
	}
	if _, err := report.Threshold(o.FailOn); err != nil {
		return err
	}
	return report.Format(o.Output).Validate()
}

// Run judges and prints.
func (o *Options) Run(ctx context.Context) error {
	found, err := o.judge(ctx)
	if err != nil {
		return err
	}
	return o.finish(found)
}

// judge judges namespace by namespace, and writes the report of each where that is asked for.
func (o *Options) judge(ctx context.Context) (*report.Report, error) {
	targets, err := o.targets(ctx)
	if err != nil {
		return nil, err
	}
	compiler, err := policy.NewCompiler()
	if err != nil {
		return nil, err
	}
	writer, err := o.reportWriter()
	if err != nil {
		return nil, err
	}
	progress := newProgress(o.ErrOut)
	defer progress.clear()
	a := &auditor{
		client: o.kube.Discovery().RESTClient(), groups: &groups{discovery: o.kube.Discovery()}, compiler: compiler,
		clock: o.Clock, tell: progress.tell, rulesets: map[string]*policy.Ruleset{},
	}
	if err := o.verifyImages(ctx, a, targets); err != nil {
		return nil, err
	}
	found := &report.Report{Help: help()}
	byNamespace := map[string][]report.Result{}
	for _, target := range targets {
		if !a.compiles(target.environment) {
			continue
		}
		results, err := a.namespace(ctx, target.environment, target.namespace)
		if err != nil {
			return nil, err
		}
		found.Results = append(found.Results, results...)
		byNamespace[target.namespace.Name] = append(byNamespace[target.namespace.Name], results...)
	}
	progress.clear()
	if writer != nil {
		if err := o.writeReports(ctx, a, writer, targets, byNamespace); err != nil {
			return nil, err
		}
	}
	found.Problems = a.problems
	return found, nil
}

// writeReports writes one report for each namespace, whichever Environments it was judged by.
func (o *Options) writeReports(ctx context.Context, a *auditor, writer *reportWriter, targets []target, byNamespace map[string][]report.Result) error {
	for _, target := range targets {
		results, waiting := byNamespace[target.namespace.Name]
		if !waiting {
			continue
		}
		delete(byNamespace, target.namespace.Name)
		line, err := writer.write(ctx, target, results)
		if unreadable(err) {
			a.problems = append(a.problems, report.Problem{
				Source: report.Source{File: "namespaces/" + target.namespace.Name + "/" + writer.kind.String()}, Message: err.Error(),
			})
			continue
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(o.ErrOut, line)
	}
	return nil
}

// targets reads the Environments and the namespaces.
func (o *Options) targets(ctx context.Context) ([]target, error) {
	environments, err := o.Source.Environments(ctx, o.connection)
	if err != nil {
		return nil, err
	}
	if o.scope.environment != "" {
		if _, err := env.Named(environments, o.scope.environment); err != nil {
			return nil, err
		}
	}
	live, partial, err := env.Namespaces(ctx, o.kube, environments)
	if err != nil {
		return nil, err
	}
	if partial && o.scope.namespace == "" {
		fmt.Fprintln(o.ErrOut, "warning: namespaces cannot be listed, those that environments select by label are left out")
	}
	if partial {
		if live, err = o.withOwn(ctx, live); err != nil {
			return nil, err
		}
	}
	targets, notes, err := o.scope.targets(environments, live)
	for _, note := range notes {
		fmt.Fprintln(o.ErrOut, "warning: "+note)
	}
	return targets, err
}

// withOwn adds the one namespace that is judged, where namespaces cannot be listed and no Environment names it.
func (o *Options) withOwn(ctx context.Context, live []corev1.Namespace) ([]corev1.Namespace, error) {
	named := func(n corev1.Namespace) bool { return n.Name == o.scope.namespace }
	if o.scope.namespace == "" || slices.ContainsFunc(live, named) {
		return live, nil
	}
	own, err := o.kube.CoreV1().Namespaces().Get(ctx, o.scope.namespace, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return live, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading namespace %q: %w", o.scope.namespace, err)
	}
	return append(live, *own), nil
}

// finish prints the report, then to stderr what a reader of it has to know.
func (o *Options) finish(found *report.Report) error {
	if err := report.Format(o.Output).Write(o.Out, found, version.Get().Version); err != nil {
		return err
	}
	fmt.Fprintln(o.ErrOut, found.Line("judged"))
	summary := found.Summary()
	if summary.Exempted > 0 {
		fmt.Fprintln(o.ErrOut, "exempted violations are lifted by Exemptions that carry a seal; only the webhook can tell whether a seal is its own")
	}
	for _, name := range o.lacking(found) {
		fmt.Fprintf(o.ErrOut, "namespaces of environment %q lack what it asks for: `kubectl rune env apply %s --dry-run=server` shows what would be added\n", name, name)
	}
	return o.outcome(found)
}

// lacking lists the environments of which a namespace violates something, sorted. Where a namespace was judged as if
// it were in an environment that was named there is nothing to advise.
func (o *Options) lacking(found *report.Report) []string {
	if o.scope.environment != "" && o.scope.namespace != "" {
		return nil
	}
	var names []string
	for i := range found.Results {
		if r := &found.Results[i]; r.Object.Kind == "Namespace" && len(r.Verdict.Violations) > 0 {
			names = append(names, r.Environment)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// outcome is the exit code: an audit that could not read everything has failed, whatever it found.
func (o *Options) outcome(found *report.Report) error {
	threshold, err := report.Threshold(o.FailOn)
	if err != nil {
		return err
	}
	var lines []string
	for _, problem := range found.Problems {
		lines = append(lines, problem.Message)
	}
	for i := range found.Results {
		if r := &found.Results[i]; r.Err != nil {
			lines = append(lines, fmt.Sprintf("judging %s in namespace %q: %v", r.Object, r.Object.Namespace, r.Err))
		}
	}
	if len(lines) > 0 {
		return exit.With(exit.Failed, fmt.Errorf("not everything could be read and written:\n  %s", strings.Join(lines, "\n  ")))
	}
	if found.Fails(threshold) {
		return exit.With(exit.Denied, nil)
	}
	return nil
}
