package delivery

import (
	"errors"
	"fmt"
	"strings"

	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// Decode reads a plan from YAML or JSON. Unknown, repeated and wrongly capitalised fields are errors, so that a misspelt
// smoke test is not silently left out. All violations are told at once.
func Decode(raw []byte) (v1alpha1.Delivery, error) {
	var plan v1alpha1.Delivery
	document, err := yaml.YAMLToJSONStrict(raw)
	if err != nil {
		return v1alpha1.Delivery{}, err
	}
	// As the API server reads it: encoding/json would take smoketests for smokeTests.
	strict, err := json.UnmarshalStrict(document, &plan)
	if err = errors.Join(append(strict, err)...); err != nil {
		return v1alpha1.Delivery{}, err
	}
	if len(strings.TrimSpace(string(raw))) == 0 {
		return v1alpha1.Delivery{}, errors.New("it is empty")
	}
	if err := validate(&plan); err != nil {
		return v1alpha1.Delivery{}, err
	}
	return completed(plan), nil
}

// validate repeats the bounds of the API's schema, because a plan from a file meets no API server
// before it is part of a Release.
func validate(plan *v1alpha1.Delivery) error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	switch plan.Strategy {
	case "", v1alpha1.StrategyCanary, v1alpha1.StrategyRolling:
	default:
		add("strategy: %q is not Canary or Rolling", plan.Strategy)
	}
	if plan.Deadline != nil && plan.Deadline.Duration <= 0 {
		add("deadline: %s is not longer than nothing", plan.Deadline.Duration)
	}
	if plan.Canary != nil {
		if n := len(plan.Canary.Steps); n < 1 || n > maxSteps {
			add("canary.steps: %d steps, wanted 1 to %d", n, maxSteps)
		}
		for i, step := range plan.Canary.Steps {
			switch {
			case (step.SetWeight == nil) == (step.Pause == nil):
				add("canary.steps[%d]: a step is either setWeight or pause", i)
			case step.SetWeight != nil && (*step.SetWeight < 1 || *step.SetWeight > 100):
				add("canary.steps[%d].setWeight: %d is not between 1 and 100", i, *step.SetWeight)
			case step.Pause != nil && step.Pause.Duration <= 0:
				add("canary.steps[%d].pause: %s is not longer than nothing", i, step.Pause.Duration)
			}
		}
	}
	problems = append(problems, validateSmokeTests(plan.SmokeTests)...)
	return errors.Join(problems...)
}

func validateSmokeTests(tests []v1alpha1.SmokeTest) []error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	names := map[string]bool{}
	for i, test := range tests {
		switch {
		case test.Name == "":
			add("smokeTests[%d].name: it is missing", i)
		case names[test.Name]:
			add("smokeTests[%d].name: %q is there twice", i, test.Name)
		}
		names[test.Name] = true
		if !strings.HasPrefix(test.Path, "/") {
			add("smokeTests[%d].path: %q does not begin with /", i, test.Path)
		}
		if s := test.ExpectStatus; s != 0 && (s < 100 || s > 599) {
			add("smokeTests[%d].expectStatus: %d is no HTTP status", i, s)
		}
		if test.Requests < 0 || test.Requests > 1000 {
			add("smokeTests[%d].requests: %d is not between 1 and 1000", i, test.Requests)
		}
		if test.Timeout != nil && test.Timeout.Duration <= 0 {
			add("smokeTests[%d].timeout: %s is not longer than nothing", i, test.Timeout.Duration)
		}
	}
	return problems
}
