package status

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/complete"
	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
	"github.com/runeframeos/kubectl-rune/pkg/cli/exit"
	"github.com/runeframeos/kubectl-rune/pkg/cli/output"
	"github.com/runeframeos/kubectl-rune/pkg/cli/subject"
	"github.com/runeframeos/kubectl-rune/pkg/cli/terminal"
	"github.com/runeframeos/kubectl-rune/pkg/view"
)

// interval between two looks of --watch.
const interval = time.Second

// Options of the command.
type Options struct {
	Subject subject.Subject
	Watch   bool
	Output  output.Format

	// Clock is the real one but in tests.
	Clock      clock.Clock
	connection *connect.Connection
	genericiooptions.IOStreams
}

const long = `Show a workload and its newest release, or one release: who requested and approved it, how far it is,
which pods serve, and what to do when nobody drives it.

With --watch the command goes on until the release has ended; it exits with 2 when the release was
taken back.`

const example = `  # How is the release of deployment web?
  kubectl rune status deployment/web

  # Follow it until it has ended
  kubectl rune status deployment/web --watch

  # One release, for a script
  kubectl rune status release/web-7 -o json`

// NewCommand makes the command.
func NewCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	o := &Options{IOStreams: streams, Clock: clock.RealClock{}}
	cmd := &cobra.Command{
		Use:               "status (deployment/NAME | release/NAME) [--watch]",
		Short:             "Show a workload and its newest release",
		Long:              long,
		Example:           example,
		ValidArgsFunction: complete.Names(flags, subject.Deployment, subject.Release),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.Complete(flags, args); err != nil {
				return err
			}
			if err := o.Validate(); err != nil {
				return err
			}
			return o.Run(cmd.Context())
		},
	}
	cmd.Flags().BoolVarP(&o.Watch, "watch", "w", false, "go on until the release has ended")
	o.Output.AddFlag(cmd)
	return cmd
}

// Complete fills in what flags leave open.
func (o *Options) Complete(flags *genericclioptions.ConfigFlags, args []string) error {
	target, err := subject.Parse(args, subject.Deployment, subject.Release)
	if err != nil {
		return err
	}
	o.Subject = target
	o.connection, err = connect.Open(flags, o.ErrOut)
	return err
}

// Validate checks the flags.
func (o *Options) Validate() error {
	if o.Watch && o.Output.Structured() {
		return errors.New("--watch prints for people: leave out -o, or use `kubectl get releases --watch -o json`")
	}
	return o.Output.Validate()
}

// Run prints the status, once or until the release has ended.
func (o *Options) Run(ctx context.Context) error {
	snapshot, err := o.look(ctx)
	if err != nil {
		return err
	}
	current := view.NewStatus(snapshot)
	if o.Output.Structured() {
		return o.Output.Print(o.Out, current)
	}
	tty := o.Watch && terminal.Is(o.Out)
	if err := terminal.Draw(o.Out, current.Lines(), tty); err != nil || !o.Watch {
		return err
	}
	return o.watch(ctx, snapshot, tty)
}

func (o *Options) watch(ctx context.Context, snapshot *view.Snapshot, tty bool) error {
	shown := fingerprint(snapshot)
	for {
		if r := snapshot.Release; r == nil || r.Ended() {
			if r != nil && r.Status.Phase == v1alpha1.PhaseRolledBack {
				return exit.With(exit.TakenBack, nil)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-o.Clock.After(interval):
		}
		next, err := o.look(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		snapshot = next
		if seen := fingerprint(snapshot); tty || !slices.Equal(seen, shown) {
			shown = seen
			lines := view.NewStatus(snapshot).Lines()
			if !tty {
				lines = append([]string{""}, lines...)
			}
			if err := terminal.Draw(o.Out, lines, tty); err != nil {
				return err
			}
		}
	}
}

// fingerprint is what has to differ for a new picture where the old one cannot be redrawn.
func fingerprint(s *view.Snapshot) []string {
	var marks []string
	if s.Deployment != nil {
		marks = append(marks, s.Deployment.ResourceVersion)
	}
	for i := range s.ReplicaSets {
		marks = append(marks, s.ReplicaSets[i].ResourceVersion)
	}
	for i := range s.Approvals {
		marks = append(marks, string(s.Approvals[i].UID))
	}
	if s.Release != nil {
		driver := view.NewStatus(s).Release.Driver.State
		marks = append(marks, s.Release.ResourceVersion, string(driver))
	}
	return marks
}

// look reads all that a status needs: two requests at once, then two more that depend on them.
func (o *Options) look(ctx context.Context) (*view.Snapshot, error) {
	s := &view.Snapshot{Namespace: o.connection.Namespace, Workload: o.Subject.Name}
	if o.Subject.Kind == subject.Release {
		found, err := o.connection.Release(ctx, s.Namespace, o.Subject.Name)
		if err != nil {
			return nil, err
		}
		s.Release, s.Workload = found, found.Spec.Workload.Name
	}
	if err := o.readWorkload(ctx, s); err != nil {
		return nil, err
	}
	if err := o.readSurroundings(ctx, s); err != nil {
		return nil, err
	}
	s.Now = o.Clock.Now()
	return s, nil
}

func (o *Options) readWorkload(ctx context.Context, s *view.Snapshot) error {
	var missing *connect.Missing
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error {
		found, err := o.connection.Deployment(groupCtx, s.Namespace, s.Workload)
		if errors.As(err, &missing) {
			return nil
		}
		s.Deployment = found
		return err
	})
	if s.Release == nil {
		group.Go(func() error {
			found, err := o.connection.Releases(groupCtx, s.Namespace, s.Workload)
			if len(found) > 0 {
				s.Release = &found[0]
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if s.Deployment == nil && s.Release == nil {
		return missing
	}
	return nil
}

// readSurroundings reads the pods, and the one thing that matters in the release's phase: the lock
// while somebody should drive it, the approvals otherwise.
func (o *Options) readSurroundings(ctx context.Context, s *view.Snapshot) error {
	group, groupCtx := errgroup.WithContext(ctx)
	if s.Deployment != nil {
		group.Go(func() (err error) {
			s.ReplicaSets, err = o.connection.ReplicaSets(groupCtx, s.Deployment)
			return err
		})
	}
	if s.Release != nil {
		group.Go(func() (err error) {
			if driven(s.Release) {
				s.Lease, err = o.connection.Lease(groupCtx, s.Namespace, s.Workload)
			} else if s.Release.Spec.Environment != "" {
				s.Approvals, err = o.connection.Approvals(groupCtx, s.Release)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("reading the state of deployment %q: %w", s.Workload, err)
	}
	return nil
}

func driven(r *v1alpha1.Release) bool {
	return !r.Ended() && r.Status.Phase != v1alpha1.PhaseAwaitingApproval
}
