package registration

import (
	"context"
	"errors"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/webhook/stored"
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
	// Namespaces lists the metadata of Namespaces, for the status of Environments only; a cache will do.
	Namespaces client.Reader
	// Compile tells what is wrong with an Environment's rules.
	Compile func(environment *v1alpha1.Environment) error
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
	// compiled keeps what Compile said of a generation, by the name of the Environment.
	compiled map[string]compiled
}

// compiled is what Compile said of an Environment.
type compiled struct {
	uid        types.UID
	generation int64
	err        error
}

// NewReconciler returns a Reconciler for the options.
func NewReconciler(options Options) *Reconciler {
	return &Reconciler{options: options, writtenAt: map[string]time.Time{}, compiled: map[string]compiled{}}
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
	covered, err := r.covered(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	r.compile(covered)
	overlaps, overlapsErr := r.overlaps(ctx, covered)
	written, writeErr := r.writeConfigurations(ctx, covered, bundle)
	r.remember(covered, written)

	next := r.options.Interval
	errs := []error{writeErr, overlapsErr}
	for _, c := range covered {
		c.conflicts = append(c.conflicts, overlaps[c.environment.Name]...)
		wait, err := r.writeStatus(ctx, c, writeErr)
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

// covered returns all Environments with the namespaces of their entries, sorted by name. Everything is read live.
func (r *Reconciler) covered(ctx context.Context) ([]coverage, error) {
	environments, err := stored.Environments(ctx, r.options.Reader)
	if err != nil {
		return nil, err
	}
	mutating, validating, err := readConfigurations(ctx, r.options.Reader)
	if err != nil {
		return nil, err
	}
	return cover(environments, placedEntries(mutating, validating)), nil
}

// remember notes which entries API servers have yet to notice.
func (r *Reconciler) remember(covered []coverage, written map[string]bool) {
	now := r.options.Clock.Now()
	for name := range r.writtenAt {
		if !slices.ContainsFunc(covered, func(c coverage) bool { return c.environment.Name == name }) {
			delete(r.writtenAt, name)
		}
	}
	for _, c := range covered {
		name := c.environment.Name
		if written[entryName(name)] || written[selectedName(name)] || written[namespaceEntryName(name)] {
			r.writtenAt[name] = now
		}
	}
}

// compile notes what is wrong with the rules of each Environment, once per generation. Its entries are written
// all the same: what cannot be judged is refused.
func (r *Reconciler) compile(covered []coverage) {
	known := r.compiled
	r.compiled = make(map[string]compiled, len(covered))
	for i := range covered {
		c := &covered[i]
		if c.environment.Err != nil {
			continue
		}
		last, found := known[c.environment.Name]
		if !found || last.uid != c.environment.UID || last.generation != c.environment.Generation {
			last = compiled{uid: c.environment.UID, generation: c.environment.Generation, err: r.options.Compile(&c.environment.Environment)}
		}
		r.compiled[c.environment.Name] = last
		c.invalid = last.err
	}
}
