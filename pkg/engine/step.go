package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// progress is what a step says after it was applied or reverted once: done, or how long to wait for
// what. A step that cannot succeed returns a failure instead.
type progress struct {
	done  bool
	after time.Duration
	// why is what was done, or what is waited for.
	why string
}

// step is one kind of step. Apply and revert are called until they are done, by this driver or by the
// one after a crash, and each call finds out from the cluster what is left to do.
type step interface {
	apply(ctx context.Context, d *driver) (progress, error)
	revert(ctx context.Context, d *driver) (progress, error)
	// revertible tells whether the step changes anything that a revert must undo.
	revertible() bool
}

func stepFor(s release.Step) step {
	switch s.Kind {
	case release.StepPause:
		return pauseStep{}
	case release.StepCreateCanary:
		return createCanary{}
	case release.StepSetWeight:
		return setWeight{weight: s.Weight}
	case release.StepWatch:
		return watch{name: s.Name, duration: s.Duration}
	case release.StepGrow:
		return grow{}
	case release.StepAdopt:
		return adopt{name: s.Name}
	case release.StepChangeTemplate:
		return changeTemplate{}
	case release.StepCreateWorkload:
		return createWorkload{}
	case release.StepRollout:
		return rollout{}
	case release.StepPreview:
		return preview{}
	case release.StepVerify:
		return verify{}
	case release.StepCleanUp:
		return cleanUp{}
	case release.StepHandBack:
		return handBack{}
	default:
		panic(fmt.Sprintf("no implementation of step kind %q", s.Kind))
	}
}

func done(format string, args ...any) (progress, error) {
	return progress{done: true, why: fmt.Sprintf(format, args...)}, nil
}

func wait(format string, args ...any) (progress, error) {
	return progress{after: poll, why: fmt.Sprintf(format, args...)}, nil
}

// again has the step called once more at the next poll, because it has just written something.
func again() (progress, error) {
	return progress{after: poll}, nil
}

func fail(format string, args ...any) (progress, error) {
	return progress{}, &failure{message: fmt.Sprintf(format, args...)}
}

// irreversible is embedded by steps that leave nothing to undo.
type irreversible struct{}

func (irreversible) revertible() bool { return false }

func (irreversible) revert(context.Context, *driver) (progress, error) {
	return progress{done: true}, nil
}

type reversible struct{}

func (reversible) revertible() bool { return true }
