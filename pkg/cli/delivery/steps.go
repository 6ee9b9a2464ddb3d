package delivery

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// maxSteps is the limit of the API's schema.
const maxSteps = 64

// ParseSteps reads --steps: weights in percent and times, such as "10,50" or "10%,5m,50%,10m". Behind
// a weight that no time follows comes a pause of the given length; zero leaves it out.
func ParseSteps(text string, pause time.Duration) ([]v1alpha1.CanaryStep, error) {
	var steps []v1alpha1.CanaryStep
	var last int32
	entries := strings.Split(text, ",")
	for i, entry := range entries {
		entry = strings.TrimSpace(entry)
		if watch, err := time.ParseDuration(entry); err == nil && entry != "0" {
			if watch <= 0 {
				return nil, fmt.Errorf("--steps %q: the pause %q is not longer than nothing", text, entry)
			}
			steps = append(steps, pauseStep(watch))
			continue
		}
		weight, err := parseWeight(text, entry, last)
		if err != nil {
			return nil, err
		}
		last = weight
		steps = append(steps, v1alpha1.CanaryStep{SetWeight: ptr.To(weight)})
		if pause > 0 && !timeFollows(entries, i) {
			steps = append(steps, pauseStep(pause))
		}
	}
	if len(steps) > maxSteps {
		return nil, fmt.Errorf("--steps %q: %d steps with their pauses, at most %d are allowed", text, len(steps), maxSteps)
	}
	return steps, nil
}

func parseWeight(text, entry string, last int32) (int32, error) {
	number, err := strconv.ParseInt(strings.TrimSuffix(entry, "%"), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("--steps %q: %q is neither a weight (10) nor a time (5m)", text, entry)
	}
	weight := int32(number) //nolint:gosec // parsed with 32 bits
	if weight < 1 || weight > 100 {
		return 0, fmt.Errorf("--steps %q: the weight %d is not between 1 and 100", text, weight)
	}
	if weight <= last {
		return 0, fmt.Errorf("--steps %q: the weight %d does not grow from %d", text, weight, last)
	}
	return weight, nil
}

func timeFollows(entries []string, i int) bool {
	if i+1 >= len(entries) {
		return false
	}
	next := strings.TrimSpace(entries[i+1])
	_, err := time.ParseDuration(next)
	return err == nil && next != "0"
}

func pauseStep(d time.Duration) v1alpha1.CanaryStep {
	return v1alpha1.CanaryStep{Pause: &metav1.Duration{Duration: d}}
}

// withPause gives every pause of a plan a new length; zero removes the pauses.
func withPause(steps []v1alpha1.CanaryStep, pause time.Duration) []v1alpha1.CanaryStep {
	var changed []v1alpha1.CanaryStep
	for _, step := range steps {
		switch {
		case step.Pause == nil:
			changed = append(changed, step)
		case pause > 0:
			changed = append(changed, pauseStep(pause))
		}
	}
	return changed
}
