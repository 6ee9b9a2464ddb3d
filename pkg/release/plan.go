package release

import (
	"fmt"
	"strconv"
	"time"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// StepKind says what a step does. The engine has one implementation per kind.
type StepKind string

// The kinds of steps.
const (
	// StepPause stops the Deployment's own rollouts.
	StepPause StepKind = "Pause"
	// StepCreateCanary makes the second Deployment, without pods, and its preview Service.
	StepCreateCanary StepKind = "CreateCanary"
	// StepSetWeight scales both sides to a weight, waits for ready pods and runs the smoke tests.
	StepSetWeight StepKind = "SetWeight"
	// StepWatch lets time pass while pods and smoke tests are judged.
	StepWatch StepKind = "Watch"
	// StepGrow brings the canary to the workload's full size.
	StepGrow StepKind = "Grow"
	// StepAdopt gives the Deployment the new template and the canary's ReplicaSet.
	StepAdopt StepKind = "Adopt"
	// StepChangeTemplate gives the Deployment the new template under its own strategy.
	StepChangeTemplate StepKind = "ChangeTemplate"
	// StepCreateWorkload creates the workload from the Release's manifest.
	StepCreateWorkload StepKind = "CreateWorkload"
	// StepRollout waits until the Deployment runs the new template only.
	StepRollout StepKind = "Rollout"
	// StepPreview makes the preview Service of the new pods.
	StepPreview StepKind = "Preview"
	// StepVerify runs the smoke tests against the new pods a last time.
	StepVerify StepKind = "Verify"
	// StepCleanUp removes the preview Service.
	StepCleanUp StepKind = "CleanUp"
	// StepHandBack gives the fields of the user's Deployment back to their earlier owners.
	StepHandBack StepKind = "HandBack"
)

// Step is one step of a release as data.
type Step struct {
	// Name is unique within the release: "set-weight-10".
	Name string
	Kind StepKind
	// Weight in percent; of SetWeight only.
	Weight int32
	// Duration of a Watch.
	Duration time.Duration
}

// Steps returns the steps of a release in order. The same spec always gives the same steps.
func Steps(spec *v1alpha1.ReleaseSpec) ([]Step, error) {
	tested := len(spec.Delivery.SmokeTests) > 0
	switch spec.Strategy {
	case v1alpha1.StrategyCanary:
		return canarySteps(spec, tested), nil
	case v1alpha1.StrategyRolling:
		steps := []Step{{Name: "change-template", Kind: StepChangeTemplate}, {Name: "rollout", Kind: StepRollout}}
		steps = append(steps, verification(tested, true)...)
		return append(steps, Step{Name: "hand-back", Kind: StepHandBack}), nil
	case v1alpha1.StrategyCreate:
		steps := []Step{{Name: "create-workload", Kind: StepCreateWorkload}, {Name: "rollout", Kind: StepRollout}}
		return append(steps, verification(tested, true)...), nil
	default:
		return nil, fmt.Errorf("planning release: strategy %q is unknown", spec.Strategy)
	}
}

func canarySteps(spec *v1alpha1.ReleaseSpec, tested bool) []Step {
	steps := []Step{{Name: "pause", Kind: StepPause}, {Name: "create-canary", Kind: StepCreateCanary}}
	used := map[string]bool{}
	var wanted []v1alpha1.CanaryStep
	if spec.Delivery.Canary != nil {
		wanted = spec.Delivery.Canary.Steps
	}
	for _, s := range wanted {
		switch {
		case s.SetWeight != nil:
			name := unique(used, fmt.Sprintf("set-weight-%d", *s.SetWeight))
			steps = append(steps, Step{Name: name, Kind: StepSetWeight, Weight: *s.SetWeight})
		case s.Pause != nil:
			name := unique(used, "watch-"+s.Pause.Duration.String())
			steps = append(steps, Step{Name: name, Kind: StepWatch, Duration: s.Pause.Duration})
		}
	}
	steps = append(steps, Step{Name: "grow", Kind: StepGrow}, Step{Name: "adopt", Kind: StepAdopt})
	steps = append(steps, verification(tested, false)...)
	return append(steps, Step{Name: "hand-back", Kind: StepHandBack})
}

func verification(tested, preview bool) []Step {
	if !tested {
		return nil
	}
	var steps []Step
	if preview {
		steps = append(steps, Step{Name: "preview", Kind: StepPreview})
	}
	return append(steps, Step{Name: "verify", Kind: StepVerify}, Step{Name: "clean-up", Kind: StepCleanUp})
}

func unique(used map[string]bool, name string) string {
	candidate := name
	for i := 2; used[candidate]; i++ {
		candidate = name + "-" + strconv.Itoa(i)
	}
	used[candidate] = true
	return candidate
}

// DefaultDeadline of a release whose delivery names none.
const DefaultDeadline = 30 * time.Minute

// Deadline returns the moment at which a release that has not ended is taken back. It counts from the
// start of driving: a release that waits for approval has none yet, which is the zero time.
func Deadline(r *v1alpha1.Release) time.Time {
	if r.Status.StartedAt == nil {
		return time.Time{}
	}
	d := DefaultDeadline
	if r.Spec.Delivery.Deadline != nil {
		d = r.Spec.Delivery.Deadline.Duration
	}
	return r.Status.StartedAt.Add(d)
}
