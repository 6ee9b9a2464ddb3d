package audit

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/report"
	"github.com/runeframeos/kubectl-rune/pkg/cli/verify/registries"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/policy/namespace"
)

// deferred are the rules about a request and not about an object, and signatures where no registry is asked.
func (a *auditor) deferred() []policy.Rule {
	if a.images != nil {
		return []policy.Rule{policy.RuleApproval, policy.RuleAccess}
	}
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
	rulesets map[string]*policy.Ruleset
	// images are nil where no registry is asked.
	images *registries.Facts
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
		if err := n.list(ctx, k, func(object *item) { n.workload(ctx, k, object) }); err != nil {
			return nil, err
		}
	}
	if err := n.list(ctx, podKind(), func(object *item) { n.pod(ctx, object) }); err != nil {
		return nil, err
	}
	return n.rollup.results(), nil
}

func (n *namespaceAudit) list(ctx context.Context, k kind, visit func(*item)) error {
	number := 0
	ahead := func(objects []*item) { n.ahead(ctx, k, objects) }
	err := pages(ctx, n.client, k, n.name, ahead, func(object *item) error {
		visit(object)
		if number++; number%100 == 0 {
			n.tell(k.String()+" in namespace "+n.name, number)
		}
		return ctx.Err()
	})
	n.tell(k.String()+" in namespace "+n.name, number)
	return n.note(err, k.String(), n.name)
}

// workload judges a pod template, unless the object is represented by a controller that is judged itself.
func (n *namespaceAudit) workload(ctx context.Context, k kind, object *item) {
	named := n.object(k, object)
	one := &workload{object: named, kind: k}
	if controller := object.controller(); controller != nil {
		if owner, listed := n.owners[controller.UID]; listed && makes(owner.kind, k) {
			one.owner = controller.UID
		}
	}
	n.owners[object.Metadata.UID] = one
	if one.owner != "" || (k.GroupKind() == schema.GroupKind{Group: "batch", Kind: "Job"} && object.finished()) {
		// What runs of the former are pods, and those are judged one by one; of the latter nothing runs.
		return
	}
	path, verdict, err := n.judge(ctx, k, object, v1alpha1.ExemptedWorkload{Kind: named.Kind, Name: named.Name})
	one.result = n.rollup.add(named, path, verdict, err)
}

// pod judges a pod as it is and rolls it up to its workload.
func (n *namespaceAudit) pod(ctx context.Context, object *item) {
	k := podKind()
	named := n.object(k, object)
	runs, err := object.runs()
	if err != nil {
		n.rollup.add(named, "", policy.Verdict{}, fmt.Errorf("reading the status of Pod %q: %w", named.Name, err))
		return
	}
	if !runs {
		return
	}
	exempted := []v1alpha1.ExemptedWorkload{{Kind: named.Kind, Name: named.Name}}
	root := n.owners.rootOf(object.controller(), n.name)
	if root != nil {
		exempted = append(exempted, v1alpha1.ExemptedWorkload{Kind: root.object.Kind, Name: root.object.Name})
	}
	_, verdict, err := n.judge(ctx, k, object, exempted...)
	if root == nil {
		n.rollup.add(named, "", verdict, err).pods = 1
		return
	}
	n.rollup.addPod(named.Name, root, verdict, err)
}

func (n *namespaceAudit) object(k kind, object *item) report.Object {
	return report.Object{APIVersion: k.GroupVersion().String(), Kind: k.Kind, Namespace: n.name, Name: object.Metadata.Name}
}

// judge returns the path of the pod template beside the verdict. The error tells that the object cannot be judged.
func (n *namespaceAudit) judge(ctx context.Context, k kind, object *item, exempted ...v1alpha1.ExemptedWorkload) (string, policy.Verdict, error) {
	subject, err := n.rules.NewSubject(k.GroupKind(), object.raw)
	if err != nil {
		return "", policy.Verdict{}, err
	}
	subject.Namespace = n.name
	images, err := n.images.Of(ctx, n.rules, subject)
	if err != nil {
		return "", policy.Verdict{}, err
	}
	verdict := n.rules.Evaluate(policy.Input{
		Subject: subject,
		Facts: policy.Facts{
			Images:       images,
			Surroundings: n.surroundings,
			Exemptions:   exemptionsFor(n.exemptions, exempted...),
			Now:          n.clock.Now(),
		},
		Deferred: append(n.deferred(), n.unknown...),
	})
	verdict.Deferred = slices.DeleteFunc(verdict.Deferred, func(rule policy.Rule) bool { return slices.Contains(n.unknown, rule) })
	return subject.TemplatePath, verdict, nil
}
