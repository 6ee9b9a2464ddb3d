package admission

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
)

// longestAncestry bounds the owners above an object that are looked at: Pod, ReplicaSet, Deployment and one more.
const longestAncestry = 3

// judgeExempt judges again with the Exemptions that stand for a candidate, after something was violated: they
// are read only then, so that what keeps the rules never waits for them.
func (j *Judge) judgeExempt(ctx context.Context, c *candidate, facts policy.Facts, verdict policy.Verdict) (policy.Verdict, error) {
	if !slices.ContainsFunc(verdict.Violations, func(v policy.Violation) bool { return notLiftable(c.environment, v.Rule) == "" }) {
		return verdict, nil
	}
	var err error
	if facts.Exemptions, err = j.exemptionsFor(ctx, c); err != nil || len(facts.Exemptions) == 0 {
		return verdict, err
	}
	pinned := policy.EffectivePin(c.environment.Spec.Rules) != v1alpha1.PinNever
	if pinned && slices.ContainsFunc(facts.Exemptions, func(e v1alpha1.Exemption) bool { return len(e.Spec.Images) > 0 }) {
		facts.Images = j.digestsFor(ctx, c, facts.Images)
	}
	return c.scope.within(c.ruleset.Evaluate(policy.Input{Subject: c.subject, Facts: facts, Limit: maxOfRule})), nil
}

// exemptionsFor returns the sealed Exemptions of the namespace that have not ended and name the candidate or what
// it was made for. One that is being deleted is withdrawn.
func (j *Judge) exemptionsFor(ctx context.Context, c *candidate) ([]v1alpha1.Exemption, error) {
	live, err := j.Objects.List(ctx, exemptionKind(), c.request.Namespace)
	if err != nil {
		return nil, fmt.Errorf("listing the Exemptions of namespace %q: %w", c.request.Namespace, err)
	}
	var standing []v1alpha1.Exemption
	for i := range live {
		raw, err := live[i].MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("reading Exemption %q: %w", live[i].GetName(), err)
		}
		e, err := readExemption(raw)
		if err != nil {
			j.Log.Error(err, "left out an Exemption that cannot be read", "namespace", c.request.Namespace, "name", live[i].GetName())
			continue
		}
		if e.Namespace != c.request.Namespace || e.Spec.Environment != c.environment.Name ||
			e.DeletionTimestamp != nil || !e.Spec.ExpiresAt.After(j.Clock.Now()) {
			continue
		}
		valid, err := j.exemptionSealed(ctx, e)
		if err != nil {
			return nil, err
		}
		if valid {
			standing = append(standing, *e)
		}
	}
	if len(standing) == 0 {
		return nil, nil
	}
	names, err := j.ancestry(ctx, c)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(standing, func(e v1alpha1.Exemption) bool { return !slices.Contains(names, e.Spec.Workload) }), nil
}

// ancestry returns what an Exemption may name to stand for a candidate: the object itself; the owners that it is
// proven to be made from; and the workload that a canary Deployment among them belongs to. Each owner must be
// live and have the template of what is below it now: an owner reference alone proves nothing.
func (j *Judge) ancestry(ctx context.Context, c *candidate) ([]v1alpha1.ExemptedWorkload, error) {
	var names []v1alpha1.ExemptedWorkload
	add := func(subject *policy.Subject, object *metav1.ObjectMeta) error {
		if !shadowed(subject.Kind) {
			names = append(names, v1alpha1.ExemptedWorkload{Kind: subject.Kind.Kind, Name: subject.Name})
		}
		release, err := j.canaryOf(ctx, c.environment.Name, c.request.Namespace, subject, object)
		if release != nil {
			names = append(names, v1alpha1.ExemptedWorkload{Kind: release.Spec.Workload.Kind, Name: release.Spec.Workload.Name})
		}
		return err
	}
	if err := add(c.subject, c.object); err != nil {
		return nil, err
	}
	origin, err := j.lineage(ctx, c)
	if err != nil || origin.exempt == "" {
		return names, err
	}
	owner, kind := origin.owner, origin.ownerKind
	for range longestAncestry {
		subject, err := liveSubject(c.ruleset, owner, kind)
		if err != nil {
			return nil, err
		}
		object := &metav1.ObjectMeta{Annotations: owner.GetAnnotations()}
		if err := add(subject, object); err != nil {
			return nil, err
		}
		reference := metav1.GetControllerOf(owner)
		if reference == nil {
			break
		}
		above := schema.FromAPIVersionAndKind(reference.APIVersion, reference.Kind)
		if !mayOwn(c.environment, above.GroupKind(), subject.Kind) {
			break
		}
		parent, problem, err := j.liveOwner(ctx, c.request.Namespace, above, reference)
		if err != nil || problem != "" {
			return names, err
		}
		if matches, err := j.matchesOwner(ctx, c, subject, parent, above); err != nil || !matches {
			return names, err
		}
		owner, kind = parent, above
	}
	return names, nil
}

// shadowed tells whether a kind is declared and named like a built-in one of another group. An Exemption names no
// group, and its kind is the built-in one where there is such.
func shadowed(kind schema.GroupKind) bool {
	return !policy.Covers(kind) && namesBuiltIn(kind.Kind)
}

// namesBuiltIn tells whether a built-in kind that is judged has this name.
func namesBuiltIn(kind string) bool {
	return slices.ContainsFunc([]string{"", "apps", "batch"}, func(group string) bool {
		return policy.Covers(schema.GroupKind{Group: group, Kind: kind})
	})
}

// mayOwn tells whether objects of a kind are made by the controller of another.
func mayOwn(environment *v1alpha1.Environment, owner, child schema.GroupKind) bool {
	builtIn := slices.ContainsFunc(parentsOf(child), func(p parent) bool { return p.kind.GroupKind() == owner })
	return builtIn || declaredPath(environment, owner) != nil
}

// digestsFor adds the digests that the tags of a candidate name now, for Exemptions that are bound to images. One
// that cannot be resolved stays unknown and is not exempt.
func (j *Judge) digestsFor(ctx context.Context, c *candidate, known map[string]policy.ImageFact) map[string]policy.ImageFact {
	facts := map[string]policy.ImageFact{}
	var missing []string
	for _, reference := range distinct(c.subject.Images()) {
		facts[reference] = known[reference]
		if ref, err := image.Parse(reference); err == nil && ref.Digest == "" && known[reference].Digest == "" {
			missing = append(missing, reference)
		}
	}
	resolved, _ := j.resolved(ctx, c.access(), missing)
	for reference, digest := range resolved {
		fact := facts[reference]
		fact.Digest = digest.Digest
		facts[reference] = fact
	}
	return facts
}
