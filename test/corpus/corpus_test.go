package corpus_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/test/corpus"
)

func TestEveryObjectGetsItsVerdict(t *testing.T) {
	compiler, err := policy.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	for _, suite := range suites(t) {
		ruleset, err := compiler.Compile(suite.Environment(corpus.Prefix + suite.Name))
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range suite.Objects {
			t.Run(suite.Name+" "+object.Name, func(t *testing.T) {
				raw, err := json.Marshal(object.Content)
				if err != nil {
					t.Fatal(err)
				}
				subject, err := ruleset.NewSubject(object.Kind.GroupKind(), raw)
				if err != nil {
					t.Fatal(err)
				}
				verdict := ruleset.Evaluate(policy.Input{
					Subject: subject, Arriving: true, Facts: policy.Facts{Surroundings: surroundings(t, object)},
				})
				if diff := cmp.Diff(object.Want, found(verdict)); diff != "" {
					t.Errorf("violations (-want +got):\n%s\n%s", diff, verdict.Report(suite.Name, object.Name))
				}
			})
		}
	}
}

// found makes a verdict comparable with what is expected.
func found(verdict policy.Verdict) []corpus.Expectation {
	var got []corpus.Expectation
	for _, v := range verdict.Violations {
		got = append(got, corpus.Expectation{Rule: string(v.Rule), Field: v.Field, Enforcement: v.Enforcement})
	}
	slices.SortFunc(got, corpus.Expectation.Compare)
	return got
}

func surroundings(t *testing.T, object corpus.Object) *policy.Surroundings {
	t.Helper()
	var s policy.Surroundings
	for _, with := range object.With {
		var budget policyv1.PodDisruptionBudget
		var autoscaler autoscalingv2.HorizontalPodAutoscaler
		var into any = &budget
		if with["kind"] == "HorizontalPodAutoscaler" {
			into = &autoscaler
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(with, into); err != nil {
			t.Fatal(err)
		}
		if into == &budget {
			s.PodDisruptionBudgets = append(s.PodDisruptionBudgets, budget)
		} else {
			s.Autoscalers = append(s.Autoscalers, autoscaler)
		}
	}
	return &s
}
