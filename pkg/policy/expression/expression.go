package expression

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"k8s.io/apiserver/pkg/cel/library"
)

const (
	// CostLimit of one expression, in CEL's units of cost; about a tenth of a second. It is PerCallLimit of
	// k8s.io/apiserver/pkg/apis/cel, which environment.MustBaseEnvSet sets.
	CostLimit = 1_000_000
	// CostBudget of all expressions of one judgement together, about a quarter of a second, so that a review is
	// answered well before the API server gives up. It is RuntimeCELCostBudgetMatchConditions of
	// k8s.io/apiserver/pkg/apis/cel, which bounds the matchConditions of one webhook.
	CostBudget = 2_500_000
)

// ErrBudget is the error of an expression that was not asked any more: those before it used up the Budget.
var ErrBudget = errors.New("the cost that all expressions share is used up")

// Budget is what the expressions of one judgement may cost together. It is not safe for concurrent use.
type Budget struct{ left uint64 }

// NewBudget returns a Budget of CostBudget.
func NewBudget() *Budget { return &Budget{left: CostBudget} }

// Left is what may still be spent.
func (b *Budget) Left() uint64 { return b.left }

// Spend takes off the cost of an answer that was given before.
func (b *Budget) Spend(cost uint64) { b.left -= min(b.left, cost) }

// Expression is true or false. It is safe for concurrent use.
type Expression struct {
	ast     *cel.Ast
	program cel.Program
}

// Compile reads an expression. Its error is one line and says where in the expression what is wrong.
func Compile(env *cel.Env, text string) (*Expression, error) {
	compiled, issues := env.Compile(text)
	if issues.Err() != nil {
		var problems []string
		for _, problem := range issues.Errors() {
			message := strings.Join(strings.Fields(problem.Message), " ")
			problems = append(problems, fmt.Sprintf("line %d, column %d: %s",
				problem.Location.Line(), problem.Location.Column()+1, message))
		}
		return nil, errors.New(strings.Join(problems, "; "))
	}
	if !compiled.OutputType().IsExactType(cel.BoolType) {
		return nil, fmt.Errorf("line 1, column 1: the expression is of type %s and must be of type bool", compiled.OutputType())
	}
	// Of variables whose size is unknown the highest estimate says nothing; the lowest is sure to be exceeded.
	if cost, err := env.EstimateCost(compiled, &library.CostEstimator{}); err == nil && cost.Min > CostLimit {
		return nil, fmt.Errorf("line 1, column 1: the expression costs at least %d and must not cost more than %d", cost.Min, CostLimit)
	}
	program, err := env.Program(compiled)
	if err != nil {
		return nil, err
	}
	return &Expression{ast: compiled, program: program}, nil
}

// AST is the expression as a tree, with macros expanded. It must not be changed.
func (e *Expression) AST() *ast.AST { return e.ast.NativeRep() }

// Holds tells whether the expression is true of some variables. It is an error that it has no result, in words for
// its author; ErrBudget where the Budget was used up before.
func (e *Expression) Holds(variables map[string]any, budget *Budget) (bool, error) {
	if budget.left == 0 {
		return false, ErrBudget
	}
	result, details, err := e.program.Eval(variables)
	cost := uint64(CostLimit)
	if details != nil && details.ActualCost() != nil {
		cost = *details.ActualCost()
	}
	budget.Spend(cost)
	if err != nil {
		return false, explain(err)
	}
	return result == types.True, nil
}

// explain says why an expression has no result, and what its author can do.
func explain(err error) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	switch {
	case strings.Contains(text, "no such key"), strings.Contains(text, "index out of bounds"):
		text += "; let the expression ask has(…) before it reads what may be absent, or read it with .?field"
	case strings.Contains(text, "cost limit exceeded"):
		text = fmt.Sprintf("%s; the expression may cost %d", text, CostLimit)
	}
	return errors.New(text)
}
