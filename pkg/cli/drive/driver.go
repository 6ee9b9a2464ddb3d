package drive

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
	"github.com/runeframeos/kubectl-rune/pkg/cli/exit"
	"github.com/runeframeos/kubectl-rune/pkg/cli/subject"
	"github.com/runeframeos/kubectl-rune/pkg/cluster"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
	"github.com/runeframeos/kubectl-rune/pkg/view"
)

// Engine is what this package needs of package engine.
type Engine interface {
	Request(ctx context.Context, req engine.Request) (*v1alpha1.Release, error)
	Run(ctx context.Context, r *v1alpha1.Release) (engine.Result, error)
	Abort(ctx context.Context, r *v1alpha1.Release, opts engine.AbortOptions) (engine.Result, error)
}

// Journal reads what was and what is: a workload, a release after its driver stopped, who asks.
type Journal interface {
	Username(ctx context.Context) (string, error)
	Deployment(ctx context.Context, namespace, name string) (*appsv1.Deployment, error)
	Release(ctx context.Context, namespace, name string) (*v1alpha1.Release, error)
}

// Driver runs releases in the foreground.
type Driver struct {
	Engine  Engine
	Journal Journal
	Sizer   Sizer
	warned  *warnings
	genericiooptions.IOStreams
}

// New connects the engine to a cluster.
func New(connection *connect.Connection, streams genericiooptions.IOStreams) (*Driver, error) {
	warned := &warnings{w: streams.ErrOut}
	reached, err := cluster.New(cluster.Config{
		REST: connection.Config, Namespace: connection.Namespace, OnWarning: warned.print, OnUnread: connection.WarnUnread,
	})
	if err != nil {
		return nil, err
	}
	progress := NewProgress(streams.ErrOut, clock.RealClock{}.Now())
	return &Driver{
		Engine:    engine.New(reached.Ports(), engine.Options{Identity: identity(), OnEvent: progress.Print}),
		Journal:   connection,
		Sizer:     connection,
		IOStreams: streams,
		warned:    warned,
	}, nil
}

// identity names this process in Leases: who and where for people, and a part that no other process has.
func identity() string {
	name := "uid" + strconv.Itoa(os.Getuid())
	if current, err := user.Current(); err == nil {
		name = current.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	unique := make([]byte, 4)
	// crypto/rand.Read never returns an error since Go 1.24.
	_, _ = rand.Read(unique)
	return fmt.Sprintf("%s@%s-%d-%s", name, host, os.Getpid(), hex.EncodeToString(unique))
}

// Start requests a release and runs it.
func (d *Driver) Start(ctx context.Context, request engine.Request) error {
	r, err := d.Engine.Request(ctx, request)
	if err != nil {
		return d.refused(ctx, err)
	}
	if request.DryRun {
		if d.warned.approval() {
			fmt.Fprintf(d.ErrOut, "environment %s asks for approval before anything is changed\n", r.Spec.Environment)
		}
		return d.dryRun(r, " (server dry run)")
	}
	fmt.Fprintf(d.ErrOut, "%s of %s is release/%s: %s\n",
		strings.ToLower(string(r.Spec.Action)), subject.Qualified(subject.Deployment, r.Spec.Workload.Name), r.Name, view.Plan(&r.Spec))
	return d.Run(ctx, r)
}

// refused names the user whose rights are missing, for a kubeconfig may hold several, and the ways
// out of a release that is in the way.
func (d *Driver) refused(ctx context.Context, err error) error {
	var rights *engine.RightsError
	var flight *engine.InFlightError
	if errors.As(err, &flight) {
		return exit.WithAdvice(fmt.Errorf("deployment %q is under another release", flight.Release.Spec.Workload.Name), view.LeftAs(flight.Release))
	}
	if !errors.As(err, &rights) {
		return err
	}
	name, nameErr := d.Journal.Username(ctx)
	if nameErr != nil {
		return err
	}
	return lacking(name, rights.Missing)
}

// Run starts or continues a release and prints how it ended.
func (d *Driver) Run(ctx context.Context, r *v1alpha1.Release) error {
	result, err := d.Engine.Run(ctx, r)
	if err != nil {
		return d.stopped(ctx, r, err)
	}
	return d.finish(ctx, r, result, wordsFor(r.Spec.Action))
}

// Abort takes a release back and prints how that ended. Having been asked for, it is no failure.
func (d *Driver) Abort(ctx context.Context, r *v1alpha1.Release, options engine.AbortOptions) error {
	result, err := d.Engine.Abort(ctx, r, options)
	if err != nil {
		return d.stopped(ctx, r, err)
	}
	if result.Kept {
		return d.kept(r)
	}
	if result.Outcome == engine.OutcomeRolledBack {
		_, err := fmt.Fprintf(d.Out, "%s rolled back: %s\n", subject.Qualified(subject.Deployment, r.Spec.Workload.Name), firstLine(result.Message))
		return err
	}
	return d.finish(ctx, r, result, words{succeeded: "has the new template: the release had ended before it could be taken back"})
}

// kept tells that a workload was left as another hand made it.
func (d *Driver) kept(r *v1alpha1.Release) error {
	_, err := fmt.Fprintf(d.Out, "%s left as it is: release given up\n", subject.Qualified(subject.Deployment, r.Spec.Workload.Name))
	return err
}

// patience bounds the reading of a release's state after an interrupt.
const patience = 3 * time.Second

// stopped says in which state an unfinished release was left and what to do with it.
func (d *Driver) stopped(ctx context.Context, r *v1alpha1.Release, err error) error {
	var held *engine.HeldError
	var deleted *engine.DeletedError
	if errors.As(err, &held) || errors.As(err, &deleted) {
		return err
	}
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	fresh, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	latest, readErr := d.Journal.Release(fresh, r.Namespace, r.Name)
	var missing *connect.Missing
	switch {
	case errors.As(readErr, &missing):
		// There is nothing to continue or to take back.
		return err
	case readErr == nil:
		r = latest
	}
	if r.Ended() {
		return err
	}
	return exit.WithAdvice(err, view.LeftAs(r))
}

// finish prints the end of a release and gives it its code.
func (d *Driver) finish(ctx context.Context, r *v1alpha1.Release, result engine.Result, say words) error {
	if result.Release != nil {
		r = result.Release
	}
	workload := subject.Qualified(subject.Deployment, r.Spec.Workload.Name)
	switch result.Outcome {
	case engine.OutcomeSucceeded:
		if err := d.resize(ctx, r); err != nil {
			return err
		}
		_, err := fmt.Fprintf(d.Out, "%s %s\n", workload, say.succeeded)
		return err
	case engine.OutcomeRolledBack:
		if result.Kept {
			if err := d.kept(r); err != nil {
				return err
			}
			return takenBack(result)
		}
		if _, err := fmt.Fprintf(d.Out, "%s %s: %s\n", workload, say.takenBack, firstLine(result.Message)); err != nil {
			return err
		}
		return takenBack(result)
	case engine.OutcomeAwaitingApproval:
		for _, line := range view.AwaitingApproval(r, result.Message) {
			fmt.Fprintln(d.ErrOut, line)
		}
		return d.waiting(r, "is waiting for approval")
	default:
		fmt.Fprintf(d.ErrOut, "stopped: %s\n", result.Message)
		for _, line := range result.Next {
			fmt.Fprintln(d.ErrOut, "  "+line)
		}
		return d.waiting(r, "stopped")
	}
}

func (d *Driver) waiting(r *v1alpha1.Release, word string) error {
	if _, err := fmt.Fprintf(d.Out, "%s %s\n", subject.Qualified(subject.Release, r.Name), word); err != nil {
		return err
	}
	return exit.With(exit.Waiting, nil)
}

func takenBack(result engine.Result) error {
	switch {
	case result.Denied != nil:
		return exit.With(exit.Denied, result.Denied)
	case result.TimedOut:
		return exit.With(exit.TimedOut, nil)
	default:
		return exit.With(exit.TakenBack, nil)
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
