package policy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// fixture is one file below testdata/<check>/pass or fail.
type fixture struct {
	Rules  v1alpha1.Rules     `json:"rules"`
	Facts  policy.Facts       `json:"facts"`
	Object json.RawMessage    `json:"object"`
	Want   []policy.Violation `json:"want"`
}

func readFixture(t *testing.T, path string) (fixture, *policy.Subject) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var f fixture
	if err := yaml.UnmarshalStrict(raw, &f); err != nil {
		t.Fatal(err)
	}
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := json.Unmarshal(f.Object, &head); err != nil {
		t.Fatal(err)
	}
	subject, err := policy.NewSubject(schema.FromAPIVersionAndKind(head.APIVersion, head.Kind).GroupKind(), f.Object)
	if err != nil {
		t.Fatal(err)
	}
	return f, subject
}

func TestEveryCheckHasFixturesThatPassAndFail(t *testing.T) {
	compiler, err := policy.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range policy.Checks(nil) {
		for _, outcome := range []string{"pass", "fail"} {
			files, err := filepath.Glob(filepath.Join("testdata", string(check.ID), outcome, "*.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			if len(files) == 0 {
				t.Errorf("check %q has no fixture in testdata/%s/%s", check.ID, check.ID, outcome)
			}
			for _, file := range files {
				name := strings.TrimSuffix(filepath.Base(file), ".yaml")
				t.Run(string(check.ID)+" "+outcome+" "+name, func(t *testing.T) {
					f, subject := readFixture(t, file)
					if outcome == "fail" && !check.Asked(f.Rules) {
						t.Errorf("the fixture's rules do not ask check %q", check.ID)
					}
					ruleset, err := compiler.Compile(&v1alpha1.Environment{
						ObjectMeta: metav1.ObjectMeta{Name: "production"},
						Spec:       v1alpha1.EnvironmentSpec{Rules: f.Rules},
					})
					if err != nil {
						t.Fatal(err)
					}
					verdict := ruleset.Evaluate(policy.Input{Subject: subject, Facts: f.Facts})
					for i := range verdict.Violations {
						// What fixtures leave out.
						if verdict.Violations[i].Enforcement == v1alpha1.EnforcementEnforce {
							verdict.Violations[i].Enforcement = ""
						}
					}
					if diff := cmp.Diff(f.Want, verdict.Violations); diff != "" {
						t.Errorf("violations (-want +got):\n%s", diff)
					}
					violated := func(rule policy.Rule) bool {
						return rule == check.ID || strings.HasPrefix(string(rule), string(check.ID)+"/")
					}
					if outcome == "fail" && !slices.ContainsFunc(verdict.Rules(), violated) {
						t.Errorf("the fixture does not violate %q", check.ID)
					}
					if outcome == "pass" && len(verdict.Violations) > 0 {
						t.Errorf("a pass fixture, and %v is violated", verdict.Rules())
					}
				})
			}
		}
	}
}
