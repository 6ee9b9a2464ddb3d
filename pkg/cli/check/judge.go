package check

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/manifest"
	"github.com/runeframeos/kubectl-rune/pkg/cli/manifest/defaults"
	"github.com/runeframeos/kubectl-rune/pkg/cli/report"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// question is one object and the rules that it is judged by; without rules its fields alone are looked at.
type question struct {
	object    *manifest.Object
	namespace string
	ruleset   *policy.Ruleset
	// again tells that the question before is about the same object, and has looked at its fields.
	again bool
	// skipped tells that the object holds pods that no rules were found for.
	skipped bool
}

// deferred are the rules that are about a request, or need a registry that is not asked.
func (o *Options) deferred() []policy.Rule {
	if o.VerifyImages {
		return []policy.Rule{policy.RuleApproval, policy.RuleAccess}
	}
	return []policy.Rule{policy.RuleApproval, policy.RuleAccess, policy.RuleSignatures}
}

// judge asks all questions, as many at once as there are processors, and reports in the order of the manifests.
func (o *Options) judge(ctx context.Context, set *manifest.Set, w *world) (*report.Report, error) {
	found := &report.Report{Files: set.Files, Help: report.RuleHelp()}
	for _, problem := range set.Problems {
		found.Problems = append(found.Problems, report.Problem{
			Source: report.Source{File: shown(problem.File), Line: problem.Line}, Column: problem.Column, Message: problem.Message})
	}
	questions, err := o.questions(ctx, set, w, found)
	if err != nil {
		return nil, err
	}
	results := make([]report.Result, len(questions))
	progress := newProgress(o.ErrOut, len(questions))
	defer progress.end()
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, q := range questions {
		group.Go(func() error {
			results[i] = o.answer(ctx, w, q)
			progress.step()
			return working.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("judging manifests: %w", err)
	}
	for i, result := range results {
		switch {
		case questions[i].ruleset != nil || result.Err != nil || isConfiguration(questions[i].object) || isRunes(questions[i].object):
			found.Results = append(found.Results, result)
		default:
			if len(result.Invalid) > 0 {
				found.Results = append(found.Results, result)
			}
			if !w.covers(questions[i].object.GroupKind()) && !questions[i].skipped {
				found.NotJudged++
			}
		}
	}
	return found, nil
}

// questions finds the rules for every object, one question for each environment that covers its namespace. Objects with
// pods that no environment asks about are noted as skipped.
func (o *Options) questions(ctx context.Context, set *manifest.Set, w *world, found *report.Report) ([]question, error) {
	questions := make([]question, 0, len(set.Objects))
	for _, object := range set.Objects {
		namespace := o.namespaceOf(object)
		skipped := false
		skip := func(reason string) {
			skipped = true
			found.Skipped = append(found.Skipped, report.Skipped{Object: nameOf(object, namespace), Source: source(object), Reason: reason})
		}
		asked, err := o.asked(ctx, w, object, namespace, skip)
		if err != nil {
			return nil, err
		}
		if len(asked) == 0 {
			asked = []*policy.Ruleset{nil}
		}
		for i, ruleset := range asked {
			questions = append(questions, question{object: object, namespace: namespace, ruleset: ruleset, again: i > 0, skipped: skipped})
		}
	}
	return questions, nil
}

// asked returns the rules that an object is judged by; it calls skip with the reason where there are none for pods.
func (o *Options) asked(ctx context.Context, w *world, object *manifest.Object, namespace string, skip func(reason string)) ([]*policy.Ruleset, error) {
	if !w.covers(object.GroupKind()) {
		if reason := unjudged(object); reason != "" {
			skip(reason)
		}
		return nil, nil
	}
	environments := []*v1alpha1.Environment{w.chosen}
	if w.chosen == nil {
		var err error
		if environments, err = w.member.covering(ctx, namespace); err != nil {
			return nil, err
		}
	}
	if len(environments) == 0 {
		skip(unowned(namespace))
	}
	var asked []*policy.Ruleset
	for _, environment := range environments {
		ruleset, err := w.ruleset(environment)
		if err != nil {
			return nil, err
		}
		if !ruleset.Covers(object.GroupKind()) {
			skip(fmt.Sprintf("environment %q does not declare the kind in spec.workloadKinds", environment.Name))
			continue
		}
		asked = append(asked, ruleset)
	}
	return asked, nil
}

// unowned says why no rules are asked of a namespace.
func unowned(namespace string) string {
	switch {
	case namespace == "":
		return "names no namespace, so no environment is known: pass -n NAMESPACE or --environment NAME"
	case slices.Contains(v1alpha1.SystemNamespaces(), namespace):
		return fmt.Sprintf("namespace %q is of the system and in no environment", namespace)
	}
	return fmt.Sprintf("namespace %q is in no environment", namespace)
}

// answer judges one object.
func (o *Options) answer(ctx context.Context, w *world, q question) report.Result {
	result := report.Result{Object: nameOf(q.object, q.namespace), Source: source(q.object), Position: q.object.Position}
	if isConfiguration(q.object) {
		result.Object.Namespace = ""
		result.Invalid = w.configuration(ctx, q.object)
		return result
	}
	if isRunes(q.object) {
		result.Invalid = w.own(ctx, q.object)
		return result
	}
	problems := invalid(q.object, o.Validate)
	if !q.again {
		result.Invalid = problems
	}
	if q.ruleset == nil {
		return result
	}
	result.Environment = q.ruleset.Environment().Name
	subject, err := q.subject()
	if err != nil {
		// Where a field is of a wrong type that has been said already, and better.
		if len(problems) == 0 {
			result.Err = err
		}
		return result
	}
	subject.Namespace = q.namespace
	images, err := w.images.Of(ctx, q.ruleset, subject)
	if err != nil {
		result.Err = err
		return result
	}
	result.Verdict = q.ruleset.Evaluate(policy.Input{
		Subject:  subject,
		Facts:    policy.Facts{Images: images, Surroundings: w.surroundings(q.namespace), Now: o.Clock.Now()},
		Deferred: o.deferred(),
		Arriving: true,
	})
	return result
}

// subject is what the API server would hand to admission.
func (q question) subject() (*policy.Subject, error) {
	kind := q.object.GroupKind()
	completed, err := defaults.Complete(kind, q.namespace, q.object.JSON)
	if err != nil {
		return nil, err
	}
	return q.ruleset.NewSubject(kind, completed)
}

func nameOf(object *manifest.Object, namespace string) report.Object {
	return report.Object{APIVersion: object.APIVersion, Kind: object.Kind, Namespace: namespace, Name: object.Name}
}

func source(object *manifest.Object) *report.Source {
	return &report.Source{File: shown(object.File), Line: object.Line}
}
