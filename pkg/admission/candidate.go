package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// candidate is an object with pods that wants to enter an environment, as a request brings it.
type candidate struct {
	request     *admissionv1.AdmissionRequest
	environment *v1alpha1.Environment
	ruleset     *policy.Ruleset
	// strictest degree of the environment's rules, for what nobody could judge.
	strictest v1alpha1.Enforcement
	subject   *policy.Subject
	// old is the former state on an update, nil on a creation.
	old *policy.Subject
	// scope is what of the rules the request is judged by.
	scope scope
	// object is the metadata of the object itself, where the subject's are those of its pod template.
	object *metav1.ObjectMeta
	// origin is set once it was found out.
	origin *lineage
}

// decide begins a decision about a candidate.
func (c *candidate) decide() decision {
	d := decision{}
	if c.subject != nil {
		d.what = c.subject.String()
	}
	d.enforcement = c.strictest
	return d
}

// readCandidate reads what a request brings. It is nil where nothing that is judged changes, which asks no port
// unless the kind is one that an Environment declares, and where there is no Environment. With an error
// it holds what was read until then.
func (j *Judge) readCandidate(ctx context.Context, name string, request *admissionv1.AdmissionRequest) (*candidate, error) {
	c := &candidate{request: request}
	if !policy.Covers(groupKind(request)) {
		return j.readDeclared(ctx, name, c)
	}
	if changes, err := c.readSubjects(policy.NewSubject); err != nil || !changes {
		return c.unless(err)
	}
	if found, err := j.readRules(ctx, name, c); err != nil || !found {
		return c.unless(err)
	}
	if c.scope.outside && !c.ruleset.Asks(policy.RuleCustom) {
		return nil, nil
	}
	return c, nil
}

// readDeclared reads an object of a kind that only the Environment knows to have pods. Without a pod template,
// such as that of a kind that refers to another object's, it has none of its own.
func (j *Judge) readDeclared(ctx context.Context, name string, c *candidate) (*candidate, error) {
	if groupKind(c.request).Group == v1alpha1.GroupName || c.request.SubResource != "" {
		return nil, nil
	}
	if found, err := j.readRules(ctx, name, c); err != nil || !found {
		return c.unless(err)
	}
	if path := declaredPath(c.environment, groupKind(c.request)); path == nil || !hasTemplate(c.request.Object.Raw, path) {
		return nil, nil
	}
	changes, err := c.readSubjects(func(kind schema.GroupKind, raw []byte) (*policy.Subject, error) {
		if !hasTemplate(raw, declaredPath(c.environment, kind)) {
			return nil, nil
		}
		return c.ruleset.NewSubject(kind, raw)
	})
	if err != nil || !changes || (c.scope.outside && !c.ruleset.Asks(policy.RuleCustom)) {
		return c.unless(err)
	}
	return c, nil
}

// unless returns nothing, or what was read before an error.
func (c *candidate) unless(err error) (*candidate, error) {
	if err == nil {
		return nil, nil
	}
	return c, err
}

// readRules tells whether the Environment exists.
func (j *Judge) readRules(ctx context.Context, name string, c *candidate) (bool, error) {
	var err error
	if c.environment, err = j.environment(ctx, name); err != nil || c.environment == nil {
		return false, err
	}
	c.strictest = j.rulesets.strictest(c.environment)
	if c.ruleset, err = j.rulesets.of(c.environment); err != nil {
		return false, err
	}
	return true, nil
}

// readSubjects reads both states and tells whether anything that is judged changes.
func (c *candidate) readSubjects(read func(schema.GroupKind, []byte) (*policy.Subject, error)) (changes bool, err error) {
	kind := groupKind(c.request)
	if c.subject, err = read(kind, c.request.Object.Raw); err != nil {
		return false, err
	}
	if isMirrorPod(c.request, c.subject) {
		return false, nil
	}
	c.scope = scope{whole: true}
	if c.request.Operation == admissionv1.Update {
		if c.old, err = read(kind, c.request.OldObject.Raw); err != nil {
			return false, fmt.Errorf("reading the former state: %w", err)
		}
		if c.old != nil {
			if c.scope, err = scopeOf(c.subject, c.old); err != nil {
				return false, err
			}
			c.subject.SettleFrom(c.old)
		}
	}
	if c.scope == (scope{}) {
		return false, nil
	}
	c.object = &c.subject.ObjectMeta
	return true, nil
}

// declaredPath returns the path of the pod template of a kind that the environment declares, nil for others.
func declaredPath(environment *v1alpha1.Environment, kind schema.GroupKind) []string {
	for _, declared := range environment.Spec.WorkloadKinds {
		if declared.Group == kind.Group && declared.Kind == kind.Kind {
			return strings.Split(declared.TemplatePath, ".")
		}
	}
	return nil
}

// hasTemplate tells whether an object has anything but null at a path. What is no JSON object counts as having
// it, so that reading it tells what is wrong.
func hasTemplate(raw []byte, path []string) bool {
	for _, field := range path {
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil {
			return true
		}
		member, found := members[field]
		if !found || string(member) == "null" {
			return false
		}
		raw = member
	}
	return true
}
