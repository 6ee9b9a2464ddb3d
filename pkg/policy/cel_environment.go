package policy

import (
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/apiserver/pkg/cel/library"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

const (
	// celCostLimit of one expression, in CEL's units of cost; about a tenth of a second. It is PerCallLimit of
	// k8s.io/apiserver/pkg/apis/cel, which environment.MustBaseEnvSet sets.
	celCostLimit = 1_000_000
	// celCostBudget of all custom rules of one environment together, about a quarter of a second, so that a review is
	// answered well before the API server gives up. It is RuntimeCELCostBudgetMatchConditions of
	// k8s.io/apiserver/pkg/apis/cel, which bounds the matchConditions of one webhook.
	celCostBudget = 2_500_000
)

// The variables of custom rules.
const (
	celObject      = "object"
	celTemplate    = "template"
	celEnvironment = "environment"
)

// newCELEnvironment returns what a ValidatingAdmissionPolicy of Kubernetes 1.37 offers, with the variables of custom
// rules. It costs some milliseconds.
func newCELEnvironment() (*cel.Env, error) {
	set, err := environment.MustBaseEnvSet(version.MajorMinor(1, 37)).Extend(environment.VersionedOptions{
		IntroducedVersion: version.MajorMinor(1, 0),
		EnvOptions: []cel.EnvOption{
			cel.Variable(celObject, cel.DynType),
			cel.Variable(celTemplate, cel.DynType),
			cel.Variable(celEnvironment, cel.StringType),
		},
	}, environment.StrictCostOpt)
	if err != nil {
		return nil, fmt.Errorf("preparing the CEL environment: %w", err)
	}
	return set.NewExpressionsEnv(), nil
}

// compileExpression returns the program of a custom rule. Its error is one line and says where in the expression what is wrong.
func compileExpression(env *cel.Env, rule v1alpha1.CustomRule) (cel.Program, error) {
	ast, issues := env.Compile(rule.Expression)
	if issues.Err() != nil {
		var problems []string
		for _, problem := range issues.Errors() {
			message := strings.Join(strings.Fields(problem.Message), " ")
			problems = append(problems, fmt.Sprintf("line %d, column %d: %s",
				problem.Location.Line(), problem.Location.Column()+1, message))
		}
		return nil, fmt.Errorf("custom rule %q: %s", rule.Name, strings.Join(problems, "; "))
	}
	if !ast.OutputType().IsExactType(cel.BoolType) {
		return nil, fmt.Errorf("custom rule %q: line 1, column 1: the expression is of type %s and must be of type bool",
			rule.Name, ast.OutputType())
	}
	// Of variables whose size is unknown the highest estimate says nothing; the lowest is sure to be exceeded.
	if cost, err := env.EstimateCost(ast, &library.CostEstimator{}); err == nil && cost.Min > celCostLimit {
		return nil, fmt.Errorf("custom rule %q: line 1, column 1: the expression costs at least %d and must not cost more than %d",
			rule.Name, cost.Min, celCostLimit)
	}
	program, err := env.Program(ast)
	if err != nil {
		return nil, fmt.Errorf("custom rule %q: %w", rule.Name, err)
	}
	return program, nil
}
