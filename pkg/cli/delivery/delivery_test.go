package delivery

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

func weight(w int32) v1alpha1.CanaryStep { return v1alpha1.CanaryStep{SetWeight: ptr.To(w)} }

func TestParseSteps(t *testing.T) {
	tests := map[string]struct {
		text  string
		pause time.Duration
		want  []v1alpha1.CanaryStep
		err   string
	}{
		"a pause follows every weight": {
			text: "10,50", pause: time.Minute,
			want: []v1alpha1.CanaryStep{weight(10), pauseStep(time.Minute), weight(50), pauseStep(time.Minute)},
		},
		"a written time takes the pause's place": {
			text: "10,30s,50", pause: time.Minute,
			want: []v1alpha1.CanaryStep{weight(10), pauseStep(30 * time.Second), weight(50), pauseStep(time.Minute)},
		},
		"no pauses":                 {text: "10, 50 ,100", want: []v1alpha1.CanaryStep{weight(10), weight(50), weight(100)}},
		"percent signs":             {text: "10%,50%", want: []v1alpha1.CanaryStep{weight(10), weight(50)}},
		"zero is no weight":         {text: "0", err: "the weight 0 is not between 1 and 100"},
		"more than all":             {text: "101", err: "the weight 101 is not between 1 and 100"},
		"weights must grow":         {text: "50,20", err: "the weight 20 does not grow from 50"},
		"a word":                    {text: "ten", err: `"ten" is neither a weight (10) nor a time (5m)`},
		"nothing":                   {text: "", err: `"" is neither a weight`},
		"a time that is no time":    {text: "10,-5m", err: "is not longer than nothing"},
		"a number beyond 32 bits":   {text: "99999999999", err: "neither a weight"},
		"more steps than the limit": {text: "1" + strings.Repeat(",1s", 64), err: "65 steps with their pauses, at most 64"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseSteps(test.text, test.pause)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) || !strings.Contains(err.Error(), "--steps") {
					t.Fatalf("ParseSteps(%q) = %v, want an error about --steps with %q", test.text, err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("ParseSteps(%q) differs (-want +got):\n%s", test.text, diff)
			}
		})
	}
}

func FuzzParseSteps(f *testing.F) {
	f.Add("10,50", int64(time.Minute))
	f.Add("10%,5m,50%", int64(0))
	f.Fuzz(func(t *testing.T, text string, pause int64) {
		steps, err := ParseSteps(text, time.Duration(pause))
		if err != nil {
			return
		}
		last := int32(0)
		for _, step := range steps {
			switch {
			case (step.SetWeight == nil) == (step.Pause == nil):
				t.Fatalf("ParseSteps(%q) gives a step that is both or neither", text)
			case step.Pause != nil && step.Pause.Duration <= 0:
				t.Fatalf("ParseSteps(%q) gives a pause of %s", text, step.Pause.Duration)
			case step.SetWeight != nil && (*step.SetWeight <= last || *step.SetWeight > 100):
				t.Fatalf("ParseSteps(%q) gives weight %d after %d", text, *step.SetWeight, last)
			case step.SetWeight != nil:
				last = *step.SetWeight
			}
		}
	})
}

func TestPlan(t *testing.T) {
	minute := &metav1.Duration{Duration: time.Minute}
	environment := &v1alpha1.Environment{Spec: v1alpha1.EnvironmentSpec{Delivery: &v1alpha1.Delivery{
		Canary:     &v1alpha1.CanaryPlan{Steps: []v1alpha1.CanaryStep{weight(25), pauseStep(time.Second)}},
		SmokeTests: []v1alpha1.SmokeTest{{Name: "health", Path: "/health"}},
		Deadline:   minute,
	}}}
	file := filepath.Join(t.TempDir(), "plan.yaml")
	if err := os.WriteFile(file, []byte("canary: {steps: [{setWeight: 5}]}\ndeadline: 1m\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ofEnvironment := environment.Spec.Delivery.DeepCopy()
	ofEnvironment.Strategy = v1alpha1.StrategyCanary
	with := func(change func(*v1alpha1.Delivery)) v1alpha1.Delivery {
		plan := ofEnvironment.DeepCopy()
		change(plan)
		return *plan
	}
	tests := map[string]struct {
		args        []string
		environment *v1alpha1.Environment
		want        v1alpha1.Delivery
		err         string
	}{
		"without an environment it is the standards' plan":         {want: Standard()},
		"the environment's plan":                                   {environment: environment, want: *ofEnvironment},
		"an environment without a plan leaves it to the standards": {environment: &v1alpha1.Environment{}, want: Standard()},
		"flags replace the steps and keep the rest": {
			args: []string{"--steps=10,50", "--pause=0s"}, environment: environment,
			want: with(func(p *v1alpha1.Delivery) { p.Canary.Steps = []v1alpha1.CanaryStep{weight(10), weight(50)} }),
		},
		"a pause alone changes the length of all pauses": {
			args: []string{"--pause=2s"}, environment: environment,
			want: with(func(p *v1alpha1.Delivery) { p.Canary.Steps[1] = pauseStep(2 * time.Second) }),
		},
		"a pause of zero takes all pauses out": {
			args: []string{"--pause=0s"}, environment: environment,
			want: with(func(p *v1alpha1.Delivery) { p.Canary.Steps = p.Canary.Steps[:1] }),
		},
		"a file replaces the environment's plan, completed by the standards": {
			args: []string{"--filename=" + file}, environment: environment,
			want: v1alpha1.Delivery{
				Strategy: v1alpha1.StrategyCanary, Deadline: minute,
				Canary: &v1alpha1.CanaryPlan{Steps: []v1alpha1.CanaryStep{weight(5)}},
			},
		},
		"a timeout is the deadline": {
			args: []string{"--timeout=45m"}, environment: environment,
			want: with(func(p *v1alpha1.Delivery) { p.Deadline = &metav1.Duration{Duration: 45 * time.Minute} }),
		},
		"pauses that the deadline has no room for": {
			args: []string{"--steps=10", "--pause=5m", "--timeout=5m"}, err: "the pauses of the plan take 5m0s, but its deadline is 5m0s",
		},
		"steps beside a file":      {args: []string{"--steps=10", "--filename=x"}, err: "leave one out"},
		"empty steps":              {args: []string{"--steps="}, err: "--steps"},
		"a file that is not there": {args: []string{"--filename=/nonexistent/plan"}, err: "reading plan: open /nonexistent/plan"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var f Flags
			flags := pflag.NewFlagSet("", pflag.ContinueOnError)
			f.AddStepFlags(flags)
			f.AddTimeoutFlag(flags)
			if err := flags.Parse(test.args); err != nil {
				t.Fatal(err)
			}
			err := f.Validate()
			var got v1alpha1.Delivery
			if err == nil {
				got, err = f.Plan(test.environment, strings.NewReader(""))
			}
			if err == nil {
				err = Fits(&got, v1alpha1.StrategyCanary)
			}
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("got error %v, want one with %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("the plan differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPausesMatterToACanaryOnly(t *testing.T) {
	plan := Standard()
	plan.Deadline = &metav1.Duration{Duration: time.Minute}
	if err := Fits(&plan, v1alpha1.StrategyRolling); err != nil {
		t.Errorf("a rolling update is refused for pauses that it does not have: %v", err)
	}
}

func TestPlanFromStandardInput(t *testing.T) {
	f := Flags{File: "-"}
	got, err := f.Plan(nil, strings.NewReader(`{"strategy": "Canary", "canary": {"steps": [{"setWeight": 7}]}}`))
	if err != nil || *got.Canary.Steps[0].SetWeight != 7 {
		t.Errorf("got %v, %v, want a first step of 7", got, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := map[string]struct {
		text string
		errs []string
	}{
		"a wrongly capitalised field": {text: "smoketests: []\nCanary: {}", errs: []string{`unknown field "Canary"`, `unknown field "smoketests"`}},
		"a repeated field":            {text: "deadline: 1m\ndeadline: 2m", errs: []string{"deadline"}},
		"a misspelt field":            {text: "smoketest: []", errs: []string{`unknown field "smoketest"`}},
		"nothing":                     {text: " \n", errs: []string{"it is empty"}},
		"a whole Environment": {
			text: "kind: Environment\nspec: {}", errs: []string{"unknown field"},
		},
		"all violations at once": {
			text: `
strategy: Blue
deadline: 0s
canary: {steps: [{setWeight: 101}, {setWeight: 5, pause: 1m}, {pause: -1s}]}
smokeTests: [{name: a, path: health}, {name: a, path: /, expectStatus: 99, requests: 2000, timeout: 0s}]`,
			errs: []string{
				`strategy: "Blue"`, "deadline:", "canary.steps[0].setWeight: 101", "canary.steps[1]: a step is either",
				"canary.steps[2].pause", `smokeTests[0].path: "health"`, `smokeTests[1].name: "a" is there twice`,
				"smokeTests[1].expectStatus: 99", "smokeTests[1].requests: 2000", "smokeTests[1].timeout",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Decode([]byte(test.text))
			for _, want := range test.errs {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got error %v, want one with %q", err, want)
				}
			}
		})
	}
}
