package release_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

func weight(n int32) v1alpha1.CanaryStep { return v1alpha1.CanaryStep{SetWeight: &n} }

func watch(d time.Duration) v1alpha1.CanaryStep {
	return v1alpha1.CanaryStep{Pause: &metav1.Duration{Duration: d}}
}

func TestSteps(t *testing.T) {
	tests := []v1alpha1.SmokeTest{{Name: "x", Path: "/"}}
	cases := map[string]struct {
		spec v1alpha1.ReleaseSpec
		want []string
	}{
		"a canary with smoke tests, weights named once each": {
			spec: v1alpha1.ReleaseSpec{Strategy: v1alpha1.StrategyCanary, Delivery: v1alpha1.Delivery{SmokeTests: tests, Canary: &v1alpha1.CanaryPlan{
				Steps: []v1alpha1.CanaryStep{weight(10), watch(time.Minute), weight(10), watch(time.Minute)}}}},
			want: []string{"pause", "create-canary", "set-weight-10", "watch-1m0s", "set-weight-10-2", "watch-1m0s-2", "grow", "adopt", "verify", "clean-up", "hand-back"},
		},
		"a canary without a plan goes straight to all": {
			spec: v1alpha1.ReleaseSpec{Strategy: v1alpha1.StrategyCanary},
			want: []string{"pause", "create-canary", "grow", "adopt", "hand-back"},
		},
		"rolling": {
			spec: v1alpha1.ReleaseSpec{Strategy: v1alpha1.StrategyRolling, Delivery: v1alpha1.Delivery{SmokeTests: tests}},
			want: []string{"change-template", "rollout", "preview", "verify", "clean-up", "hand-back"},
		},
		"a new workload": {
			spec: v1alpha1.ReleaseSpec{Strategy: v1alpha1.StrategyCreate},
			want: []string{"create-workload", "rollout"},
		},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			steps, err := release.Steps(&tt.spec)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range steps {
				got = append(got, s.Name)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStepsRefusesAnUnknownStrategy(t *testing.T) {
	if _, err := release.Steps(&v1alpha1.ReleaseSpec{Strategy: "Sideways"}); err == nil {
		t.Error("no error")
	}
}

func TestNextName(t *testing.T) {
	long := strings.Repeat("a", 70)
	tests := map[string]struct {
		workload string
		taken    []string
		want     string
	}{
		"the first":                                   {workload: "web", want: "web-1"},
		"one more than the highest, not a gap":        {workload: "web", taken: []string{"web-1", "web-9", "web-3"}, want: "web-10"},
		"names that only look alike do not count":     {workload: "web", taken: []string{"web-01", "web-x", "web-api-4", "web-2-3"}, want: "web-1"},
		"a Deployment of the next name is in the way": {workload: "web", taken: []string{"web-1"}, want: "web-2"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := release.NextName(tt.workload, tt.taken); got != tt.want {
				t.Errorf("NextName = %q, want %q", got, tt.want)
			}
		})
	}
	if got := release.NextName(long, nil); len(got) > 63 || got == release.NextName(long+"b", nil) {
		t.Errorf("NextName of a long workload = %q: too long or not its own", got)
	}
}

func TestCheckJournal(t *testing.T) {
	steps := []release.Step{{Name: "pause"}, {Name: "grow"}, {Name: "adopt"}}
	journal := func(states ...v1alpha1.StepState) []v1alpha1.StepStatus {
		var list []v1alpha1.StepStatus
		for i, s := range states {
			list = append(list, v1alpha1.StepStatus{Name: steps[i].Name, State: s})
		}
		return list
	}
	originals := &v1alpha1.Originals{}
	tests := map[string]struct {
		status v1alpha1.ReleaseStatus
		want   string
	}{
		"nothing was begun":     {},
		"in the middle":         {status: v1alpha1.ReleaseStatus{Phase: "Progressing", Originals: originals, Steps: journal("Done", "Running", "Pending")}},
		"being taken back":      {status: v1alpha1.ReleaseStatus{Phase: "Aborting", Originals: originals, Steps: journal("Done", "Reverting", "Reverted")}},
		"a phase without steps": {status: v1alpha1.ReleaseStatus{Phase: "Progressing"}, want: "no step is recorded"},
		"a step is missing":     {status: v1alpha1.ReleaseStatus{Originals: originals, Steps: journal("Done", "Done")}, want: "2 steps are recorded"},
		"a later step is done":  {status: v1alpha1.ReleaseStatus{Originals: originals, Steps: journal("Running", "Done", "Pending")}, want: "has not ended"},
		"originals are missing": {status: v1alpha1.ReleaseStatus{Steps: journal("Done", "Pending", "Pending")}, want: "originals is missing"},
		"another plan":          {status: v1alpha1.ReleaseStatus{Originals: originals, Steps: []v1alpha1.StepStatus{{Name: "x"}, {}, {}}}, want: `is "x"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Name: "web-1"}, Status: tt.status}
			r.Spec.Strategy = v1alpha1.StrategyCanary
			err := release.CheckJournal(r, steps)
			if (err == nil) != (tt.want == "") || (err != nil && !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("CheckJournal = %v, want %q", err, tt.want)
			}
		})
	}
}
