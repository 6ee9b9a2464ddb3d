package env

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/namespace"
)

func newDescribe(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	v := &viewer{IOStreams: streams, Clock: clock.RealClock{}}
	cmd := &cobra.Command{
		Use:   "describe ENVIRONMENT",
		Short: "Show an environment with its namespaces and its rules in words",
		Long:  "Show an environment: its namespaces, its rules in words, what its namespaces must hold, its conditions.",
		Example: `  # What may run in production?
  kubectl rune env describe production`,
		ValidArgsFunction: completeNames(flags, &v.Source),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := oneName("describe", args)
			if err != nil {
				return err
			}
			if err := v.open(flags); err != nil {
				return err
			}
			return v.describe(cmd.Context(), name)
		},
	}
	v.Source.AddFlag(cmd)
	v.Output.AddFlag(cmd)
	return cmd
}

func (v *viewer) describe(ctx context.Context, name string) error {
	environments, err := v.Source.Environments(ctx, v.connection)
	if err != nil {
		return err
	}
	environment, err := Named(environments, name)
	if err != nil {
		return err
	}
	if v.Output.Structured() {
		environment.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.KindEnvironment}
		return v.Output.Print(v.Out, environment)
	}
	members := MembersOf(environments, environment, v.namespaces(ctx, environments))
	table := printers.GetNewTabWriter(v.Out)
	line := func(name, value string) { fmt.Fprintf(table, "%s:\t%s\n", name, value) }
	line("Name", environment.Name)
	line("Purpose", cmp.Or(environment.Spec.Purpose, none))
	line("Promotes from", cmp.Or(environment.Spec.PromotesFrom, none))
	line("Enforcement", string(cmp.Or(environment.Spec.Enforcement, v1alpha1.EnforcementEnforce)))
	line("Age", age(environment, v.Clock.Now()))
	lines(table, "Namespaces", v.membersInWords(environment, members))
	lines(table, "Rules", rulesInWords(environment.Spec.Rules))
	lines(table, "Namespaces must hold", namespace.Described(environment))
	lines(table, "Conditions", conditions(environment))
	return table.Flush()
}

// lines prints a heading and what stands below it.
func lines(table interface{ Write([]byte) (int, error) }, heading string, below []string) {
	if len(below) == 0 {
		fmt.Fprintf(table, "%s:\t%s\n", heading, none)
		return
	}
	fmt.Fprintf(table, "%s:\n  %s\n", heading, strings.Join(below, "\n  "))
}

func (v *viewer) membersInWords(environment *v1alpha1.Environment, members Members) []string {
	var words []string
	missing := map[string]bool{}
	for _, name := range members.Missing {
		missing[name] = true
	}
	for _, name := range members.Names() {
		switch {
		case missing[name] && v.Source.Config == "":
			words = append(words, name+" (does not exist)")
		case environment.HasNamespace(name):
			words = append(words, name)
		default:
			words = append(words, name+" (selected by label)")
		}
	}
	if environment.SelectsByLabel() {
		words = append(words, "all with the labels "+metav1.FormatLabelSelector(environment.Spec.NamespaceSelector))
	}
	return words
}

func conditions(environment *v1alpha1.Environment) []string {
	var words []string
	for _, condition := range environment.Status.Conditions {
		words = append(words, fmt.Sprintf("%s=%s  %s: %s", condition.Type, condition.Status, condition.Reason, condition.Message))
	}
	return words
}
