package policy

import (
	"errors"
	"fmt"
	"sync"

	"github.com/google/cel-go/cel"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/expression"
)

// The variables of custom rules.
const (
	celObject      = "object"
	celTemplate    = "template"
	celEnvironment = "environment"
)

// compiledRule is a custom rule that is ready to be asked.
type compiledRule struct {
	v1alpha1.CustomRule
	expression *expression.Expression
}

// customCheck asks the expressions of rules.custom. The CEL environment is prepared when the first of them is
// compiled: most programs that judge have none.
func customCheck() Check {
	prepared := sync.OnceValues(func() (*cel.Env, error) {
		return expression.NewEnvironment(
			cel.Variable(celObject, cel.DynType), cel.Variable(celTemplate, cel.DynType), cel.Variable(celEnvironment, cel.StringType))
	})
	return Check{
		ID:          RuleCustom,
		Doc:         customDoc(),
		Asked:       func(rules v1alpha1.Rules) bool { return len(rules.Custom) > 0 },
		Enforcement: func(v1alpha1.Rules) v1alpha1.Enforcement { return "" },
		Compile: func(rules v1alpha1.Rules) (Judge, error) {
			env, err := prepared()
			if err != nil {
				return nil, err
			}
			var compiled []compiledRule
			var errs []error
			for _, rule := range rules.Custom {
				read, err := expression.Compile(env, rule.Expression)
				if err != nil {
					errs = append(errs, fmt.Errorf("custom rule %q: %w", rule.Name, err))
					continue
				}
				compiled = append(compiled, compiledRule{rule, read})
			}
			if err := errors.Join(errs...); err != nil {
				return nil, err
			}
			return func(in Input) []Violation { return judgeCustom(compiled, in) }, nil
		},
	}
}

// judgeCustom asks all custom rules, within the budget that they share.
func judgeCustom(rules []compiledRule, in Input) []Violation {
	template := expression.Value(in.Subject.Template)
	object := template
	if !in.Subject.IsPod() {
		object = expression.Value(in.Subject.Object)
	}
	variables := map[string]any{celObject: object, celTemplate: template, celEnvironment: in.Environment}
	var violations []Violation
	budget := expression.NewBudget()
	for _, rule := range rules {
		message := rule.Message
		holds, err := rule.expression.Holds(variables, budget)
		switch {
		case holds:
			continue
		case errors.Is(err, expression.ErrBudget):
			message = fmt.Sprintf("%s (cannot be judged: the custom rules before this one used up the cost of %d that all share)", message, expression.CostBudget)
		case err != nil:
			message = fmt.Sprintf("%s (cannot be judged: %s)", message, err)
		}
		field := in.Subject.TemplatePath
		if rule.Field != "" {
			field = in.Subject.Field(rule.Field)
		}
		violations = append(violations, Violation{
			Rule: CustomRule(rule.Name), Field: field, Message: message, Enforcement: rule.Enforcement,
		})
	}
	return violations
}

func customDoc() Doc {
	return Doc{
		Setting: "custom",
		Summary: "An expression in CEL holds.",
		Allows: "Objects for which every expression is true. Expressions see `object`, the whole object; `template`, its pod template, or the Pod itself; and `environment`, the name of the Environment. " +
			"They are written as in a ValidatingAdmissionPolicy of Kubernetes 1.37, with its libraries. They see the environment's defaults as if they were set, and fields that Rune itself does not know.",
		Denies: "Objects for which an expression is false; the rule's `message` says why. An expression without a result denies too: it reads a field that is absent, or costs too much (1,000,000 each and 2,500,000 all together, in the units of a ValidatingAdmissionPolicy).",
		Fix:    "Do what the message asks. Where it says that the rule cannot be judged, correct the expression: `has(template.spec.x)` asks whether a field is there, `template.?spec.x.orValue(…)` reads it if it is.",
		Notes:  "Each rule reports as `custom/NAME` and may have an `enforcement` of its own. An expression that is no CEL, or whose type is not bool, is refused with the Environment.",
		Example: `custom:
- name: no-host-aliases
  expression: "!has(template.spec.hostAliases)"
  message: pods must not set spec.hostAliases
  field: spec.hostAliases
`,
	}
}
