package audit

import (
	"fmt"
	"slices"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/report"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/templatehash"
)

// workload judges a pod template, unless the live owner that made the object has the same one.
func (n *namespaceAudit) workload(k kind, object *item) {
	named := n.object(k, object)
	one := &workload{kind: k.GroupKind(), object: named}
	n.owners[object.Metadata.UID] = one
	if err := n.judgeWorkload(k, object, one); err != nil {
		one.result = n.rollup.add(named, "", policy.Verdict{}, err)
	}
}

// judgeWorkload returns an error where the object cannot be judged.
func (n *namespaceAudit) judgeWorkload(k kind, object *item, one *workload) error {
	if ended, err := object.ended(one.kind); err != nil || ended {
		return inStatus(err, one.object)
	}
	subject, err := n.rules.NewSubject(one.kind, object.raw)
	if err != nil {
		return err
	}
	if one.stands, err = n.owners.standsFor(subject, object.controller()); err != nil || one.stands != nil {
		return err
	}
	if makesWorkloads(one.kind) {
		if one.hash, err = templatehash.OfJSON(subject.Template); err != nil {
			return fmt.Errorf("reading the pod template of %s: %w", subject, err)
		}
	}
	verdict := n.evaluate(subject, v1alpha1.ExemptedWorkload{Kind: one.object.Kind, Name: one.object.Name})
	one.result = n.rollup.add(one.object, subject.TemplatePath, verdict, nil)
	return nil
}

// inStatus says what could not be read; it is nil where err is.
func inStatus(err error, object report.Object) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("reading the status of %s %q: %w", object.Kind, object.Name, err)
}

// pod judges a pod as it is, whoever owns it, and tells it under its workload.
func (n *namespaceAudit) pod(object *item) {
	k := podKind()
	named := n.object(k, object)
	ended, err := object.ended(k.GroupKind())
	if ended {
		return
	}
	if err != nil {
		n.rollup.add(named, "", policy.Verdict{}, inStatus(err, named))
		return
	}
	subject, err := n.rules.NewSubject(k.GroupKind(), object.raw)
	if err != nil {
		n.rollup.add(named, "", policy.Verdict{}, err).pods = 1
		return
	}
	if node := object.mirrors(subject); node != "" {
		n.skipped = append(n.skipped, report.Skipped{Object: named, Reason: fmt.Sprintf("in namespace %q, made by node %q from a file of its own", n.name, node)})
		return
	}
	exempted := []v1alpha1.ExemptedWorkload{{Kind: named.Kind, Name: named.Name}}
	root := n.owners.root(object.controller())
	if root == nil {
		n.rollup.add(named, "", n.evaluate(subject, exempted...), nil).pods = 1
		return
	}
	exempted = append(exempted, v1alpha1.ExemptedWorkload{Kind: root.object.Kind, Name: root.object.Name})
	n.rollup.addPod(named.Name, root, n.evaluate(subject, exempted...))
}

func (n *namespaceAudit) object(k kind, object *item) report.Object {
	return report.Object{APIVersion: k.GroupVersion().String(), Kind: k.Kind, Namespace: n.name, Name: object.Metadata.Name}
}

// evaluate judges a subject, for which Exemptions of some workloads count.
func (n *namespaceAudit) evaluate(subject *policy.Subject, exempted ...v1alpha1.ExemptedWorkload) policy.Verdict {
	verdict := n.rules.Evaluate(policy.Input{
		Subject: subject,
		Facts: policy.Facts{
			Surroundings: n.surroundings,
			Exemptions:   exemptionsFor(n.exemptions, exempted...),
			Now:          n.clock.Now(),
		},
		Deferred: append(deferred(), n.unknown...),
	})
	verdict.Deferred = slices.DeleteFunc(verdict.Deferred, func(rule policy.Rule) bool { return slices.Contains(n.unknown, rule) })
	return verdict
}
