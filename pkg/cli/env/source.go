package env

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/files"
)

// ErrNotInstalled says that the cluster does not serve the kind Environment.
var ErrNotInstalled = errors.New("this cluster has no Environments: `kubectl rune install` adds the kind, or name a directory of them with --config DIR")

// ErrNone says that there is no Environment.
var ErrNone = errors.New("there is no Environment yet: `kubectl explain environment.spec` tells how one is written, `kubectl apply -f FILE` creates it")

// Source is where Environments come from: a directory of files, or the cluster.
type Source struct {
	// Config is the directory; empty for the cluster.
	Config string
}

// AddFlag adds --config to a command.
func (s *Source) AddFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.Config, "config", "", "directory of YAML files with Environments, instead of those of the cluster")
	// The only error is a flag that does not exist.
	_ = cmd.MarkFlagDirname("config")
}

// Environments reads all Environments, sorted by name. There is at least one where it gives no error.
func (s Source) Environments(ctx context.Context, connection *connect.Connection) ([]v1alpha1.Environment, error) {
	if s.Config != "" {
		return s.fromFiles(ctx)
	}
	environments, err := connection.Environments(ctx)
	if apierrors.IsNotFound(err) {
		return nil, ErrNotInstalled
	}
	if err != nil {
		return nil, err
	}
	if len(environments) == 0 {
		return nil, ErrNone
	}
	return environments, nil
}

func (s Source) fromFiles(ctx context.Context) ([]v1alpha1.Environment, error) {
	info, err := os.Stat(s.Config)
	if err != nil {
		return nil, fmt.Errorf("reading --config: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("reading --config: %q is no directory: name the one that holds the file", s.Config)
	}
	loader, err := files.NewLoader()
	if err != nil {
		return nil, err
	}
	set, err := loader.Load(ctx, os.DirFS(s.Config))
	if err != nil {
		return nil, fmt.Errorf("reading --config %q: %w", s.Config, err)
	}
	if len(set.Environments) == 0 {
		return nil, fmt.Errorf("directory %q holds no Environment in a file *.yaml, *.yml or *.json", s.Config)
	}
	return set.Environments, nil
}

// Named picks an Environment by name. The error lists those that there are.
func Named(environments []v1alpha1.Environment, name string) (*v1alpha1.Environment, error) {
	names := make([]string, 0, len(environments))
	for i := range environments {
		if environments[i].Name == name {
			return &environments[i], nil
		}
		names = append(names, environments[i].Name)
	}
	return nil, fmt.Errorf("environment %q does not exist, there are: %s", name, strings.Join(names, ", "))
}

// Namespaces lists the namespaces of the cluster. Who may not list them gets those that Environments name and
// that the caller may read one by one; partial is true then.
func Namespaces(ctx context.Context, kube kubernetes.Interface, environments []v1alpha1.Environment) (live []corev1.Namespace, partial bool, err error) {
	// The API server's cache will do: a namespace that was labelled a moment ago may be missed.
	list, err := kube.CoreV1().Namespaces().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err == nil {
		return list.Items, false, nil
	}
	if !apierrors.IsForbidden(err) {
		return nil, false, fmt.Errorf("listing namespaces: %w", err)
	}
	var names []string
	for i := range environments {
		names = append(names, environments[i].Spec.Namespaces...)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		namespace, err := kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
			continue
		}
		if err != nil {
			return nil, false, fmt.Errorf("reading namespace %q: %w", name, err)
		}
		live = append(live, *namespace)
	}
	return live, true, nil
}

// Members are the namespaces of one Environment.
type Members struct {
	// Live namespaces, sorted by name.
	Live []corev1.Namespace
	// Missing are listed by the Environment and do not exist, sorted.
	Missing []string
}

// Names of all members, sorted.
func (m Members) Names() []string {
	names := slices.Clone(m.Missing)
	for i := range m.Live {
		names = append(names, m.Live[i].Name)
	}
	slices.Sort(names)
	return names
}

// MembersOf tells which namespaces belong to an Environment and to no other.
func MembersOf(environments []v1alpha1.Environment, environment *v1alpha1.Environment, live []corev1.Namespace) Members {
	var members Members
	owns := func(name string, labels map[string]string) bool {
		owner := v1alpha1.Owner(environments, name, labels)
		return owner != nil && owner.Name == environment.Name
	}
	exists := map[string]bool{}
	for i := range live {
		exists[live[i].Name] = true
		if owns(live[i].Name, live[i].Labels) {
			members.Live = append(members.Live, live[i])
		}
	}
	for _, name := range environment.Spec.Namespaces {
		if !exists[name] && owns(name, nil) {
			members.Missing = append(members.Missing, name)
		}
	}
	slices.SortFunc(members.Live, func(a, b corev1.Namespace) int { return strings.Compare(a.Name, b.Name) })
	slices.Sort(members.Missing)
	return members
}
