package env

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
	"github.com/runeframeos/kubectl-rune/pkg/cli/install"
	"github.com/runeframeos/kubectl-rune/pkg/cli/output"
	"github.com/runeframeos/kubectl-rune/pkg/policy/namespace"
)

// Values of --dry-run.
const (
	dryRunNone   = "none"
	dryRunClient = "client"
	dryRunServer = "server"
)

// Apply are the options of `kubectl rune env apply`.
type Apply struct {
	Source           Source
	Environment      string
	DryRun           string
	CreateNamespaces bool
	ForceConflicts   bool
	Output           output.Format

	connection *connect.Connection
	kube       kubernetes.Interface
	dynamic    dynamic.Interface
	genericiooptions.IOStreams
}

const longApply = `Give the namespaces of an environment what its spec.namespaceSettings ask for: a ResourceQuota, a LimitRange,
NetworkPolicies that deny by default, and Pod Security labels.

The objects are applied server-side under names that begin with "rune". Applying twice changes nothing, and
nobody's object is removed. An object of which somebody else manages a field that would change
is left to them as a whole and told, unless --force-conflicts is given. Stricter Pod Security labels stay.

Network policies that deny by default cut traffic that no other policy allows, from the moment they are applied.`

const exampleApply = `  # What would be applied? The API server checks it
  kubectl rune env apply production --dry-run=server

  # The same without a cluster
  kubectl rune env apply production --config environments/ --dry-run=client -o yaml

  # Set up a new environment
  kubectl rune env apply production --create-namespaces`

func newApply(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	o := &Apply{IOStreams: streams}
	cmd := &cobra.Command{
		Use:               "apply ENVIRONMENT",
		Short:             "Give the namespaces of an environment their quotas, limit ranges, network policies and labels",
		Long:              longApply,
		Example:           exampleApply,
		ValidArgsFunction: completeNames(flags, &o.Source),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.Complete(flags, args); err != nil {
				return err
			}
			return o.Run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&o.DryRun, "dry-run", dryRunNone, "client: only print what would be applied; server: have the API server check it")
	cmd.Flags().Lookup("dry-run").NoOptDefVal = dryRunClient
	cmd.Flags().BoolVar(&o.CreateNamespaces, "create-namespaces", false, "create namespaces that the environment lists and that do not exist")
	cmd.Flags().BoolVar(&o.ForceConflicts, "force-conflicts", false, "take over fields that other field managers own")
	o.Source.AddFlag(cmd)
	o.Output.AddFlag(cmd)
	// The only error is a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("dry-run", cobra.FixedCompletions([]string{dryRunNone, dryRunClient, dryRunServer}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// oneName takes the one argument of a verb.
func oneName(verb string, args []string) (string, error) {
	if len(args) != 1 || args[0] == "" {
		return "", fmt.Errorf("name one environment: `kubectl rune env %s ENVIRONMENT`, `kubectl rune env list` lists them", verb)
	}
	return strings.TrimPrefix(args[0], "environment/"), nil
}

// Complete checks the flags and makes the clients. A client dry run with --config needs none.
func (o *Apply) Complete(flags *genericclioptions.ConfigFlags, args []string) (err error) {
	if o.Environment, err = oneName("apply", args); err != nil {
		return err
	}
	switch o.DryRun {
	case dryRunNone, dryRunClient, dryRunServer:
	default:
		return fmt.Errorf("--dry-run=%s is unknown: write none, client or server", o.DryRun)
	}
	if err := o.Output.Validate(); err != nil {
		return err
	}
	o.connection, err = connect.Open(flags, o.ErrOut)
	if err != nil {
		if o.DryRun == dryRunClient && o.Source.Config != "" {
			return nil
		}
		return err
	}
	o.kube = o.connection.Kube
	o.dynamic, err = dynamic.NewForConfig(o.connection.Config)
	if err != nil {
		return fmt.Errorf("making client: %w", err)
	}
	return nil
}

// Run applies.
func (o *Apply) Run(ctx context.Context) error {
	environments, err := o.Source.Environments(ctx, o.connection)
	if err != nil {
		return err
	}
	environment, err := Named(environments, o.Environment)
	if err != nil {
		return err
	}
	if !namespace.Asks(environment) {
		fmt.Fprintf(o.ErrOut, "environment %q asks nothing of its namespaces: spec.namespaceSettings is empty\n", environment.Name)
		return nil
	}
	members, err := o.members(ctx, environments, environment)
	if err != nil {
		return err
	}
	plan, err := o.plan(environment, members)
	if err != nil {
		return err
	}
	applied, err := o.applyAll(ctx, plan)
	return errors.Join(o.print(applied), err)
}

// members of the environment. A client dry run of what files name asks no cluster.
func (o *Apply) members(ctx context.Context, environments []v1alpha1.Environment, environment *v1alpha1.Environment) (Members, error) {
	if o.DryRun == dryRunClient && o.Source.Config != "" && (o.kube == nil || !environment.SelectsByLabel()) {
		if environment.SelectsByLabel() {
			return Members{}, fmt.Errorf("environment %q selects namespaces by label, and there is no cluster to ask for them: %w", environment.Name, connect.ErrNoCluster)
		}
		var live []corev1.Namespace
		for _, name := range environment.Spec.Namespaces {
			live = append(live, corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
		}
		return MembersOf(environments, environment, live), nil
	}
	live, partial, err := Namespaces(ctx, o.kube, environments)
	if err != nil {
		return Members{}, err
	}
	if partial && environment.SelectsByLabel() {
		fmt.Fprintf(o.ErrOut, "warning: namespaces cannot be listed, those that environment %q selects by label are left out\n", environment.Name)
	}
	members := MembersOf(environments, environment, live)
	if len(members.Missing) > 0 && !o.CreateNamespaces {
		return Members{}, fmt.Errorf("namespaces of environment %q do not exist: %s: create them, or repeat the command with --create-namespaces",
			environment.Name, strings.Join(members.Missing, ", "))
	}
	if len(members.Live)+len(members.Missing) == 0 {
		return Members{}, fmt.Errorf("environment %q has no namespace: none carries the labels that spec.namespaceSelector asks for", environment.Name)
	}
	return members, nil
}

// plan lists what to apply, namespace by namespace, each namespace before what it holds.
func (o *Apply) plan(environment *v1alpha1.Environment, members Members) ([]*unstructured.Unstructured, error) {
	var plan []*unstructured.Unstructured
	add := func(name string, live map[string]string, exists bool) error {
		labels := namespace.Labels(environment, live)
		if !exists || len(labels) > 0 {
			object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace"}}
			object.SetName(name)
			if len(labels) > 0 {
				object.SetLabels(labels)
			}
			plan = append(plan, object)
		}
		objects, err := namespace.Objects(environment, name)
		plan = append(plan, objects...)
		return err
	}
	for i := range members.Live {
		if err := add(members.Live[i].Name, members.Live[i].Labels, true); err != nil {
			return nil, err
		}
	}
	for _, name := range members.Missing {
		if err := add(name, nil, false); err != nil {
			return nil, err
		}
	}
	return plan, nil
}

// applyAll goes on after an object that cannot be applied, so that all problems are told at once.
func (o *Apply) applyAll(ctx context.Context, plan []*unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	if o.DryRun == dryRunClient {
		for _, object := range plan {
			o.say(object, "applied", " (dry run)")
		}
		return plan, nil
	}
	var applied []*unstructured.Unstructured
	var errs []error
	for _, object := range plan {
		result, err := o.apply(ctx, object)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		applied = append(applied, result)
	}
	return applied, errors.Join(errs...)
}

// apply applies one object server-side and says what that did.
func (o *Apply) apply(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	client := install.ClientOf(o.dynamic, object)
	before, err := client.Get(ctx, object.GetName(), metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("reading %s: %w", where(object), err)
	}
	existed := err == nil
	options := metav1.ApplyOptions{FieldManager: v1alpha1.FieldManager, Force: o.ForceConflicts}
	suffix := ""
	if o.DryRun == dryRunServer {
		options.DryRun = []string{metav1.DryRunAll}
		suffix = " (server dry run)"
	}
	after, err := client.Apply(ctx, object.GetName(), object, options)
	if o.DryRun == dryRunServer && !existed && apierrors.IsNotFound(err) && object.GetNamespace() != "" {
		// Its namespace would be created by a line before; the API server cannot check further.
		o.say(object, "created", suffix+", not checked: the namespace does not exist yet")
		return object, nil
	}
	if apierrors.IsConflict(err) {
		return nil, conflict(object, err)
	}
	if err != nil {
		return nil, fmt.Errorf("applying %s: %w", where(object), err)
	}
	switch {
	case !existed:
		o.say(object, "created", suffix)
	case before.GetResourceVersion() == after.GetResourceVersion():
		o.say(object, "unchanged", suffix)
	default:
		o.say(object, "configured", suffix)
	}
	return after, nil
}

// conflict says which fields belong to whom, one per line, and both ways out.
func conflict(object *unstructured.Unstructured, err error) error {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil || len(status.Status().Details.Causes) == 0 {
		return fmt.Errorf("applying %s: %w", where(object), err)
	}
	var lines strings.Builder
	for _, cause := range status.Status().Details.Causes {
		fmt.Fprintf(&lines, "\n  %s: %s", cause.Field, cause.Message)
	}
	return fmt.Errorf("applying %s: others manage fields that would change:%s\nkeep theirs by changing the Environment, or take the fields over with --force-conflicts",
		where(object), lines.String())
}

// where names an object and its namespace.
func where(object *unstructured.Unstructured) string {
	if object.GetNamespace() == "" {
		return install.TypeName(object)
	}
	return install.TypeName(object) + " in namespace " + object.GetNamespace()
}

// say prints one line about an object, to stderr where stdout is for machines.
func (o *Apply) say(object *unstructured.Unstructured, what, suffix string) {
	w := o.Out
	if o.Output.Structured() {
		w = o.ErrOut
	}
	place := ""
	if object.GetNamespace() != "" {
		place = " in namespace " + object.GetNamespace()
	}
	fmt.Fprintf(w, "%s %s%s%s\n", install.TypeName(object), what, place, suffix)
}

// print writes the objects for machines.
func (o *Apply) print(objects []*unstructured.Unstructured) error {
	if !o.Output.Structured() {
		return nil
	}
	list := &unstructured.UnstructuredList{Object: map[string]any{"apiVersion": "v1", "kind": "List"}}
	for _, object := range objects {
		object.SetManagedFields(nil)
		list.Items = append(list.Items, *object)
	}
	return o.Output.Print(o.Out, list.UnstructuredContent())
}
