package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

func TestExpressionsThatCannotBeReadAreRefusedInOneLine(t *testing.T) {
	tests := map[string]struct{ expression, want string }{
		"syntax":        {"template.spec.(", `custom rule "strict": line 1, column 15: Syntax error: no viable alternative at input '.('`},
		"a second line": {"true &&\n  nobody", `custom rule "strict": line 2, column 3: undeclared reference to 'nobody' (in container '')`},
		"not a boolean": {"template.spec", `custom rule "strict": line 1, column 1: the expression is of type dyn and must be of type bool`},
		"wrong types":   {"environment + 1 == 'x'", `custom rule "strict": line 1, column 13: found no matching overload for '_+_' applied to '(string, int)'`},
		"a pattern":     {"environment.matches('(')", `custom rule "strict": line 1, column 21: invalid matches argument`},
		"a request":     {"request.userInfo.username == 'x'", `custom rule "strict": line 1, column 1: undeclared reference to 'request' (in container '')`},
		"always too expensive": {
			expression: strings.ReplaceAll(nested(8), ".all(", ".map(") + ".size() > 0",
			want:       `custom rule "strict": line 1, column 1: the expression costs at least`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := tryCompile(t, v1alpha1.Rules{Custom: []v1alpha1.CustomRule{
				{Name: "fine", Expression: "true", Message: "x"}, {Name: "strict", Expression: test.expression, Message: "x"},
			}})
			if err == nil {
				t.Fatal("it compiles")
			}
			want := `compiling rule custom of Environment "production": ` + test.want
			if !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error\n%s\nwant one line that begins\n%s", err, want)
			}
		})
	}
}

// nested walks through a list of ten to the given power times.
func nested(depth int) string {
	expression := "environment != ''"
	for i := range depth {
		expression = fmt.Sprintf("[0, 1, 2, 3, 4, 5, 6, 7, 8, 9].all(x%d, %s)", i, expression)
	}
	return expression
}

func TestCustomRulesShareABudget(t *testing.T) {
	var rules []v1alpha1.CustomRule
	for i := range 5 {
		rules = append(rules, v1alpha1.CustomRule{Name: fmt.Sprintf("r%02d", i), Expression: strings.Replace(nested(7), "[0", "[size(environment)", 1), Message: "dear"})
	}
	ruleset := compileRules(t, v1alpha1.Rules{Custom: rules})
	verdict := ruleset.Evaluate(policy.Input{Subject: readPod(t, "{containers: []}")})
	exceeded, shared := 0, 0
	for _, violation := range verdict.Violations {
		if strings.Contains(violation.Message, "cost limit exceeded") {
			exceeded++
		}
		if strings.Contains(violation.Message, "used up the cost of 2500000") {
			shared++
		}
	}
	if exceeded != 3 || shared != 2 {
		t.Errorf("%d rules exceed their own limit and %d the shared one, want 3 and 2", exceeded, shared)
	}
}

func TestOneRulesetJudgesManyAtTheSameTime(t *testing.T) {
	rules := v1alpha1.Rules{Custom: []v1alpha1.CustomRule{{Name: "a", Expression: "template.spec.containers.all(c, c.name == 'b')", Message: "m"}}}
	ruleset := compileRules(t, rules)
	want := []policy.Violation{{Rule: "custom/a", Message: "m", Enforcement: v1alpha1.EnforcementEnforce}}
	pod := readPod(t, "{containers: [{name: a}]}")
	done := make(chan []policy.Violation)
	for range 8 {
		go func() { done <- ruleset.Evaluate(policy.Input{Subject: pod}).Violations }()
	}
	for range 8 {
		if diff := cmp.Diff(want, <-done); diff != "" {
			t.Errorf("violations (-want +got):\n%s", diff)
		}
	}
}
