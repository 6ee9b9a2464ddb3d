package env

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
	"github.com/runeframeos/kubectl-rune/pkg/cli/output"
)

// none stands in a column that is empty.
const none = "<none>"

// viewer is what list and describe share.
type viewer struct {
	Source Source
	Output output.Format
	Clock  clock.PassiveClock

	connection *connect.Connection
	genericiooptions.IOStreams
}

// open checks the flags and makes the clients. Without a cluster the files alone will do.
func (v *viewer) open(flags *genericclioptions.ConfigFlags) error {
	if err := v.Output.Validate(); err != nil {
		return err
	}
	connection, err := connect.Open(flags, v.ErrOut)
	if err != nil && v.Source.Config == "" {
		return err
	}
	v.connection = connection
	return nil
}

// namespaces of the cluster; none where there is no cluster to ask or files alone were asked for.
func (v *viewer) namespaces(ctx context.Context, environments []v1alpha1.Environment) []corev1.Namespace {
	if v.Source.Config != "" {
		return nil
	}
	live, partial, err := Namespaces(ctx, v.connection.Kube, environments)
	if err != nil || partial {
		fmt.Fprintln(v.ErrOut, "warning: namespaces cannot be listed, those that an environment selects by label are not shown")
	}
	return live
}

func newList(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	v := &viewer{IOStreams: streams, Clock: clock.RealClock{}}
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls", "get"},
		Short:   "List the environments with their namespaces",
		Long:    "List the environments with their namespaces, those that labels select included.",
		Example: `  # Which environments does this cluster have?
  kubectl rune env list`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := v.open(flags); err != nil {
				return err
			}
			return v.list(cmd.Context())
		},
	}
	v.Source.AddFlag(cmd)
	v.Output.AddFlag(cmd)
	return cmd
}

func (v *viewer) list(ctx context.Context) error {
	environments, err := v.Source.Environments(ctx, v.connection)
	if err != nil {
		return err
	}
	if v.Output.Structured() {
		list := v1alpha1.EnvironmentList{
			TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: "EnvironmentList"},
			Items:    environments,
		}
		return v.Output.Print(v.Out, list)
	}
	live := v.namespaces(ctx, environments)
	table := printers.GetNewTabWriter(v.Out)
	fmt.Fprintln(table, "NAME\tNAMESPACES\tPROMOTES-FROM\tENFORCEMENT\tENFORCED\tAGE")
	for i := range environments {
		e := &environments[i]
		names := MembersOf(environments, e, live).Names()
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", e.Name, short(names, 3), cmp.Or(e.Spec.PromotesFrom, none),
			cmp.Or(e.Spec.Enforcement, v1alpha1.EnforcementEnforce), enforced(e), age(e, v.Clock.Now()))
	}
	return table.Flush()
}

// short lists at most so many names.
func short(names []string, most int) string {
	switch {
	case len(names) == 0:
		return none
	case len(names) > most:
		return fmt.Sprintf("%s,+%d more", strings.Join(names[:most], ","), len(names)-most)
	}
	return strings.Join(names, ",")
}

func enforced(e *v1alpha1.Environment) string {
	if condition := apimeta.FindStatusCondition(e.Status.Conditions, v1alpha1.ConditionEnforced); condition != nil {
		return string(condition.Status)
	}
	return none
}

func age(e *v1alpha1.Environment, now time.Time) string {
	if e.CreationTimestamp.IsZero() {
		return none
	}
	return duration.HumanDuration(now.Sub(e.CreationTimestamp.Time))
}
