package proof

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/expression"
)

// The variables of conditions.
const (
	variablePredicate   = "predicate"
	variableImage       = "image"
	variableEnvironment = "environment"
	variableNow         = "now"
	variableTime        = "time"
)

// newEnvironment prepares what all conditions share.
func newEnvironment() (*cel.Env, error) {
	return expression.NewEnvironment(
		cel.Variable(variablePredicate, cel.DynType),
		cel.Variable(variableImage, cel.MapType(cel.StringType, cel.StringType)),
		cel.Variable(variableEnvironment, cel.StringType),
		cel.Variable(variableNow, cel.TimestampType),
		cel.Variable(variableTime, cel.TimestampType),
	)
}

// condition is an AttestationCondition that is ready to be asked.
type condition struct {
	*v1alpha1.AttestationCondition
	expression *expression.Expression
}

// conditionReasons says which conditions do not hold for a statement. One that has no result does not hold.
func (j *judgement) conditionReasons(required *attestation, candidate statement) []string {
	if len(required.conditions) == 0 {
		return nil
	}
	if required.answers == nil {
		reasons, _ := j.ask(required, candidate)
		return reasons
	}
	key := question(candidate.Predicate, j.in.Image, j.in.Environment, candidate.time)
	if known, found := required.answers.get(key); found && known.cost <= j.budget.Left() {
		j.budget.Spend(known.cost)
		return slices.Clone(known.reasons)
	}
	left := j.budget.Left()
	reasons, complete := j.ask(required, candidate)
	if complete {
		required.answers.put(key, answer{reasons: slices.Clone(reasons), cost: left - j.budget.Left()})
	}
	return reasons
}

// ask asks all conditions. It is not complete where the budget did not suffice.
func (j *judgement) ask(required *attestation, candidate statement) (reasons []string, complete bool) {
	variables := map[string]any{
		variablePredicate: expression.Value(candidate.Predicate),
		variableImage: map[string]string{
			"registry": j.in.Image.Registry, "repository": j.in.Image.Repository, "digest": j.in.Image.Digest,
		},
		variableEnvironment: j.in.Environment,
		variableNow:         j.in.Now,
		variableTime:        candidate.time,
	}
	for i := range required.conditions {
		c := &required.conditions[i]
		holds, err := c.expression.Holds(variables, j.budget)
		switch {
		case holds:
			continue
		case errors.Is(err, expression.ErrBudget):
			err = fmt.Errorf("the conditions before this one used up the cost of %d that all share", expression.CostBudget)
		}
		reason := fmt.Sprintf("condition %q: %s", c.Name, c.message())
		if err != nil {
			reason += fmt.Sprintf(" (cannot be judged: %s)", err)
		}
		reasons = append(reasons, reason)
	}
	return reasons, j.budget.Left() > 0
}

// message that the user reads where the condition does not hold.
func (c *condition) message() string {
	if c.Message != "" {
		return c.Message
	}
	return strings.Join(strings.Fields(c.Expression), " ") + " is not true"
}
