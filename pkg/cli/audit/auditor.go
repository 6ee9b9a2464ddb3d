package audit

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/report"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/policy/namespace"
)

// deferred are the rules about a request and not about an object, and signatures, which need the registry.
func deferred() []policy.Rule {
	return []policy.Rule{policy.RuleApproval, policy.RuleAccess, policy.RuleSignatures}
}

// auditor judges namespaces one after the other.
type auditor struct {
	client   rest.Interface
	groups   *groups
	compiler *policy.Compiler
	clock    clock.PassiveClock
	// tell is called with what is being read and how many objects of it were.
	tell func(what string, number int)
	// problems are what could not be read.
	problems []report.Problem
	// skipped are objects that no rules were asked for.
	skipped  []report.Skipped
	rulesets map[string]*policy.Ruleset
}

// note remembers a list that the API server refused and lets the rest go on. Other errors are returned.
func (a *auditor) note(err error, resource, ns string) error {
	if err == nil {
		return nil
	}
	if !unreadable(err) {
		return fmt.Errorf("listing %s in namespace %q: %w", resource, ns, err)
	}
	message := fmt.Sprintf("listing %s in namespace %q: %v", resource, ns, err)
	if apierrors.IsForbidden(err) {
		message = fmt.Sprintf("you may not list %s in namespace %q", resource, ns)
	}
	a.problems = append(a.problems, report.Problem{
		Source: report.Source{File: "namespaces/" + ns + "/" + resource}, Message: message,
	})
	return nil
}

func (a *auditor) ruleset(environment *v1alpha1.Environment) (*policy.Ruleset, error) {
	if rules, ok := a.rulesets[environment.Name]; ok {
		return rules, nil
	}
	rules, err := a.compiler.Compile(environment)
	if err != nil {
		return nil, err
	}
	a.rulesets[environment.Name] = rules
	return rules, nil
}

// compiles tells whether the rules of an Environment can be judged by. Where they cannot that is noted once, and the
// rest goes on.
func (a *auditor) compiles(environment *v1alpha1.Environment) bool {
	if known, judged := a.rulesets[environment.Name]; judged {
		return known != nil
	}
	if _, err := a.ruleset(environment); err != nil {
		a.rulesets[environment.Name] = nil
		a.problems = append(a.problems, report.Problem{Source: report.Source{File: "environments/" + environment.Name}, Message: err.Error()})
		return false
	}
	return true
}

// namespaceAudit is what the judgement of one namespace needs at hand.
type namespaceAudit struct {
	*auditor
	rules        *policy.Ruleset
	name         string
	surroundings *policy.Surroundings
	// unknown are rules whose facts could not be read; that is told among the problems.
	unknown    []policy.Rule
	exemptions []v1alpha1.Exemption
	owners     owners
	rollup     *rollup
	skipped    []report.Skipped
}

// namespace judges a namespace and all that runs in it.
func (a *auditor) namespace(ctx context.Context, environment *v1alpha1.Environment, live *corev1.Namespace) ([]report.Result, error) {
	rules, err := a.ruleset(environment)
	if err != nil {
		return nil, err
	}
	n := &namespaceAudit{auditor: a, rules: rules, name: live.Name, owners: owners{}, rollup: newRollup(environment.Name)}
	if n.surroundings, n.unknown, err = a.surroundings(ctx, rules, live.Name); err != nil {
		return nil, err
	}
	if n.exemptions, err = a.exemptions(ctx, environment.Name, live.Name); err != nil {
		return nil, err
	}
	if namespace.Asks(environment) {
		state, err := a.state(ctx, environment, live)
		if err != nil {
			return nil, err
		}
		verdict := namespace.Judge(environment, state)
		// What could not be read is among the problems; "deferred" means: judged at admission.
		verdict.Deferred = nil
		n.rollup.add(report.Object{APIVersion: "v1", Kind: "Namespace", Name: live.Name}, "", verdict, nil)
	}
	kinds, err := a.groups.kindsOf(environment)
	if err != nil {
		return nil, err
	}
	for _, k := range kinds {
		if err := n.list(ctx, k, func(object *item) { n.workload(k, object) }); err != nil {
			return nil, err
		}
	}
	if err := n.list(ctx, podKind(), n.pod); err != nil {
		return nil, err
	}
	a.skipped = append(a.skipped, n.skipped...)
	return n.rollup.results(), nil
}

func (n *namespaceAudit) list(ctx context.Context, k kind, visit func(*item)) error {
	number := 0
	err := pages(ctx, n.client, k, n.name, func(object *item) error {
		visit(object)
		if number++; number%100 == 0 {
			n.tell(k.String()+" in namespace "+n.name, number)
		}
		return ctx.Err()
	})
	n.tell(k.String()+" in namespace "+n.name, number)
	return n.note(err, k.String(), n.name)
}
