package delivery

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// standardPause is the time for which the deployment standards watch the new pods after a weight.
const standardPause = 5 * time.Minute

// Standard is the plan of the deployment standards for whoever sets nothing else: 10 %, 5 minutes,
// 50 %, 5 minutes, all; half an hour at most.
func Standard() v1alpha1.Delivery {
	ten, fifty := int32(10), int32(50)
	return v1alpha1.Delivery{
		Strategy: v1alpha1.StrategyCanary,
		Canary: &v1alpha1.CanaryPlan{Steps: []v1alpha1.CanaryStep{
			{SetWeight: &ten}, pauseStep(standardPause), {SetWeight: &fifty}, pauseStep(standardPause),
		}},
		Deadline: &metav1.Duration{Duration: release.DefaultDeadline},
	}
}

// Flags are the flags by which a user changes the plan.
type Flags struct {
	Steps   string
	Pause   time.Duration
	File    string
	Timeout time.Duration

	flags *pflag.FlagSet
}

// AddStepFlags adds the flags of a canary.
func (f *Flags) AddStepFlags(flags *pflag.FlagSet) {
	f.flags = flags
	flags.StringVar(&f.Steps, "steps", "", "weights in percent, with times between them if they differ: 10,50 or 10,5m,50,15m")
	flags.DurationVar(&f.Pause, "pause", standardPause, "how long the new pods are watched after each weight; 0 for not at all")
	flags.StringVarP(&f.File, "filename", "f", "", "file with the plan (YAML or JSON, the schema of an Environment's spec.delivery); - reads stdin")
}

// AddTimeoutFlag adds --timeout.
func (f *Flags) AddTimeoutFlag(flags *pflag.FlagSet) {
	f.flags = flags
	flags.DurationVar(&f.Timeout, "timeout", 0, "deadline of the whole release; one that has not ended by then is taken back (default: the plan's)")
}

// Validate checks the flags against each other.
func (f *Flags) Validate() error {
	if f.File != "" && f.Steps != "" {
		return errors.New("--steps and --filename both give the plan: leave one out")
	}
	if f.Pause < 0 {
		return fmt.Errorf("--pause %s is less than nothing", f.Pause)
	}
	if f.Timeout < 0 {
		return fmt.Errorf("--timeout %s is less than nothing", f.Timeout)
	}
	if f.Steps != "" || f.changed("steps") {
		_, err := ParseSteps(f.Steps, f.Pause)
		return err
	}
	return nil
}

// Plan puts the plan together. environment may be nil. stdin is read for the file "-" only.
func (f *Flags) Plan(environment *v1alpha1.Environment, stdin io.Reader) (v1alpha1.Delivery, error) {
	plan := OfEnvironment(environment)
	if f.File != "" {
		read, err := readFile(f.File, stdin)
		if err != nil {
			return v1alpha1.Delivery{}, err
		}
		plan = read
	}
	switch {
	case f.Steps != "":
		steps, err := ParseSteps(f.Steps, f.Pause)
		if err != nil {
			return v1alpha1.Delivery{}, err
		}
		plan.Canary = &v1alpha1.CanaryPlan{Steps: steps}
	case f.changed("pause") && plan.Canary != nil:
		plan.Canary.Steps = withPause(plan.Canary.Steps, f.Pause)
	}
	if f.Timeout > 0 {
		plan.Deadline = &metav1.Duration{Duration: f.Timeout}
	}
	return plan, nil
}

func (f *Flags) changed(name string) bool { return f.flags != nil && f.flags.Changed(name) }

// Fits refuses a plan that, released by a strategy, its own deadline would always take back.
func Fits(plan *v1alpha1.Delivery, strategy v1alpha1.Strategy) error {
	if strategy != v1alpha1.StrategyCanary || plan.Canary == nil || plan.Deadline == nil {
		return nil
	}
	var watched time.Duration
	for _, step := range plan.Canary.Steps {
		if step.Pause != nil {
			watched += step.Pause.Duration
		}
	}
	if watched >= plan.Deadline.Duration {
		return fmt.Errorf("the pauses of the plan take %s, but its deadline is %s: shorten them or give --timeout", watched, plan.Deadline.Duration)
	}
	return nil
}

// OfEnvironment is the plan of an environment, completed from the standards; environment may be nil.
func OfEnvironment(environment *v1alpha1.Environment) v1alpha1.Delivery {
	if environment == nil || environment.Spec.Delivery == nil {
		return Standard()
	}
	return completed(*environment.Spec.Delivery.DeepCopy())
}

// completed fills in what a plan leaves to the standards.
func completed(plan v1alpha1.Delivery) v1alpha1.Delivery {
	standard := Standard()
	if plan.Strategy == "" {
		plan.Strategy = standard.Strategy
	}
	if plan.Canary == nil || len(plan.Canary.Steps) == 0 {
		plan.Canary = standard.Canary
	}
	if plan.Deadline == nil {
		plan.Deadline = standard.Deadline
	}
	return plan
}

func readFile(path string, stdin io.Reader) (v1alpha1.Delivery, error) {
	var raw []byte
	var err error
	if path == "-" {
		raw, err = io.ReadAll(io.LimitReader(stdin, maxFile+1))
	} else {
		raw, err = readBounded(path)
	}
	if err != nil {
		return v1alpha1.Delivery{}, fmt.Errorf("reading plan: %w", err)
	}
	if len(raw) > maxFile {
		return v1alpha1.Delivery{}, fmt.Errorf("reading plan %q: it is larger than %d bytes", path, maxFile)
	}
	plan, err := Decode(raw)
	if err != nil {
		return v1alpha1.Delivery{}, fmt.Errorf("reading plan %q: %w", path, err)
	}
	return plan, nil
}

// maxFile bounds a plan's size in bytes; a plan of all steps and smoke tests stays far below.
const maxFile = 1 << 20

func readBounded(path string) ([]byte, error) {
	file, err := os.Open(path) //nolint:gosec // the user names the file
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxFile+1))
}
