package registration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// Certificates are what the entries tell API servers to trust.
type Certificates interface {
	// Ensure does what is due: makes, renews and stores certificates.
	Ensure(ctx context.Context) error
	// Bundle returns the authorities to trust in PEM; nothing while there is none.
	Bundle() []byte
}

// Options of a Reconciler.
type Options struct {
	// Reader reads Environments and configurations live: an Environment that a cache does not know yet
	// must not lose its entry.
	Reader client.Reader
	// Writer writes configurations and the status of Environments.
	Writer       client.Client
	Certificates Certificates
	Endpoint     Endpoint
	Clock        clock.PassiveClock
	// Settle is how long API servers are given to notice a new entry before it counts as enforced.
	Settle time.Duration
	// Interval after which everything is looked at again without an event; it also bounds how late a
	// certificate is renewed.
	Interval time.Duration
}

// Reconciler brings both configurations and the status of all Environments in line. It has one work item
// and runs in one replica at a time.
type Reconciler struct {
	options Options
	// writtenAt tells when this process wrote an Environment's entry. Environments whose entry it found
	// in place are absent.
	writtenAt map[string]time.Time
}

// NewReconciler returns a Reconciler for the options.
func NewReconciler(options Options) *Reconciler {
	return &Reconciler{options: options, writtenAt: map[string]time.Time{}}
}

// Reconcile implements reconcile.Reconciler. Which object caused it does not matter.
func (r *Reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	if err := r.options.Certificates.Ensure(ctx); err != nil {
		return reconcile.Result{}, err
	}
	bundle := r.options.Certificates.Bundle()
	if len(bundle) == 0 {
		return reconcile.Result{}, errors.New("writing webhook configurations: there is no certificate authority yet")
	}
	environments, err := r.environments(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	written, writeErr := r.writeConfigurations(ctx, environments, bundle)
	r.remember(environments, written)

	next := r.options.Interval
	shared := sharedNamespaces(environments)
	errs := []error{writeErr}
	for i := range environments {
		environment := &environments[i]
		wait, err := r.writeStatus(ctx, environment, shared[environment.Name], writeErr)
		errs = append(errs, err)
		if wait > 0 {
			next = min(next, wait)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: next}, nil
}

// environments returns those that exist and are not being deleted, sorted by name.
func (r *Reconciler) environments(ctx context.Context) ([]v1alpha1.Environment, error) {
	var list v1alpha1.EnvironmentList
	if err := r.options.Reader.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("listing Environments: %w", err)
	}
	slices.SortFunc(list.Items, func(a, b v1alpha1.Environment) int { return strings.Compare(a.Name, b.Name) })
	return list.Items, nil
}

// remember notes which entries API servers have yet to notice.
func (r *Reconciler) remember(environments []v1alpha1.Environment, written map[string]bool) {
	now := r.options.Clock.Now()
	for name := range r.writtenAt {
		if !slices.ContainsFunc(environments, func(e v1alpha1.Environment) bool { return e.Name == name }) {
			delete(r.writtenAt, name)
		}
	}
	for i := range environments {
		if name := environments[i].Name; written[entryName(name)] {
			r.writtenAt[name] = now
		}
	}
}

// sharedNamespaces says, per Environment, which of its namespaces others name too.
func sharedNamespaces(environments []v1alpha1.Environment) map[string][]string {
	owners := map[string][]string{}
	for i := range environments {
		for _, namespace := range namespaces(&environments[i]) {
			owners[namespace] = append(owners[namespace], environments[i].Name)
		}
	}
	shared := map[string][]string{}
	for i := range environments {
		name := environments[i].Name
		for _, namespace := range namespaces(&environments[i]) {
			for _, other := range owners[namespace] {
				if other != name {
					shared[name] = append(shared[name],
						fmt.Sprintf("namespace %q is also named by Environment %q: the rules of both are enforced there", namespace, other))
				}
			}
		}
	}
	return shared
}
