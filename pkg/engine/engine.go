package engine

import (
	"context"
	"encoding/json"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// Defaults of Options.
const (
	// DefaultLeaseDuration is how long a Lease that nobody renews keeps others out.
	DefaultLeaseDuration = 10 * time.Second
	// adoptionBound is how long a paused Deployment is given to adopt the canary's ReplicaSet before
	// it is resumed all the same: its native rolling update then finishes.
	adoptionBound = 60 * time.Second
	// stableBound is how long an abort waits for a stable side that does not become whole.
	stableBound = 2 * time.Minute
	// endpointsBound is how long a Service may have no endpoints although its pods are ready.
	endpointsBound = 30 * time.Second
	poll           = 200 * time.Millisecond
	// journalPoll is how often a waiting driver looks for a request to abort.
	journalPoll = time.Second
)

// Options of an Engine.
type Options struct {
	// Clock is the real one when nil.
	Clock clock.Clock
	// Identity names this process, and no other, in Leases and journals.
	Identity string
	// LeaseDuration defaults to DefaultLeaseDuration; a quarter of it is the time between renewals.
	LeaseDuration time.Duration
	// OnEvent receives progress, from one goroutine at a time. It may be nil.
	OnEvent func(Event)
}

// Engine requests, runs and aborts releases.
type Engine struct {
	ports Ports
	opts  Options
}

// New returns an Engine over ports.
func New(ports Ports, opts Options) *Engine {
	if opts.Clock == nil {
		opts.Clock = clock.RealClock{}
	}
	if opts.LeaseDuration <= 0 {
		opts.LeaseDuration = DefaultLeaseDuration
	}
	if opts.OnEvent == nil {
		opts.OnEvent = func(Event) {}
	}
	return &Engine{ports: ports, opts: opts}
}

// Request is what a command asks for.
type Request struct {
	Namespace string
	// Workload is the name of a Deployment.
	Workload string
	Action   v1alpha1.Action
	Strategy v1alpha1.Strategy
	// Edit changes the live template; Template replaces it. One of the two is given, unless Manifest is.
	Edit     func(*corev1.PodTemplateSpec) error
	Template *release.Template
	// Manifest is the whole Deployment as JSON, for the strategy Create only.
	Manifest json.RawMessage
	// Environment that covers the namespace; empty outside all. In an environment the webhook stamps it.
	Environment string
	// Delivery is the plan; its strategy is replaced by Strategy.
	Delivery v1alpha1.Delivery
	Reason   string
	// DryRun asks everything of the API server and stores nothing.
	DryRun bool
}

// AbortOptions say how a release is taken back.
type AbortOptions struct {
	// Reason is recorded.
	Reason string
	// RestoreTemplate also replaces a template that another hand wrote meanwhile.
	RestoreTemplate bool
}

// Request judges a change without changing anything and then creates its Release. The errors that a
// command tells apart are listed in the package's documentation.
func (e *Engine) Request(ctx context.Context, req Request) (*v1alpha1.Release, error) {
	p := &preflight{Engine: e, req: req}
	rel, err := p.run(ctx)
	if err != nil {
		return nil, err
	}
	return &rel.Release, nil
}

// Run starts a release or goes on with it from wherever its journal says that it is. An error means
// that the release was left as it is and can be resumed; how the release itself went is the Result.
func (e *Engine) Run(ctx context.Context, r *v1alpha1.Release) (Result, error) {
	return e.drive(ctx, r, nil)
}

// Abort takes a release back in order. Where a living driver holds the Lease it is asked to do so, and
// Abort waits for it.
func (e *Engine) Abort(ctx context.Context, r *v1alpha1.Release, opts AbortOptions) (Result, error) {
	return e.abort(ctx, r, opts)
}
