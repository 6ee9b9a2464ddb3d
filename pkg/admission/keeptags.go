package admission

import (
	"context"
	"slices"

	"github.com/runeframeos/kubectl-rune/pkg/policy"
	"github.com/runeframeos/kubectl-rune/pkg/templatehash"
)

// keepsTemplate tells whether the pod template of a workload must stay as it is, although it has tags: what a
// controller made of its owner, else the controller would not know it again; what equals a revision of the
// workload, else no rollback would find it; and both ends of the Release that the object points to, else
// what was approved would not be what enters.
func (j *Judge) keepsTemplate(ctx context.Context, c *candidate) (bool, error) {
	if c.subject.IsPod() {
		return false, nil
	}
	origin, err := j.lineage(ctx, c)
	if err != nil || origin.exempt != "" {
		return origin.exempt != "", err
	}
	hash, err := templatehash.OfJSON(c.subject.Template)
	if err != nil {
		return false, err
	}
	if c.old != nil {
		if name, err := j.ownRevision(ctx, c.request.Namespace, c.subject.Kind, c.object.UID, hash); err != nil || name != "" {
			return name != "", err
		}
	}
	names, err := releaseNames(c.request, c.object)
	if err != nil {
		return false, err
	}
	for _, name := range names {
		release, problem, err := j.findRelease(ctx, c.environment.Name, c.request.Namespace, name)
		if err != nil {
			return false, err
		}
		if problem != "" {
			continue
		}
		from, to, err := release.hashes()
		if err != nil || hash == from || hash == to {
			return err == nil, err
		}
	}
	return false, nil
}

// keepTags takes the tags out of a verdict that the mutating side left in a pod template on purpose. The Pods
// that are made of it are pinned and judged all the same.
func (j *Judge) keepTags(ctx context.Context, c *candidate, verdict policy.Verdict) (policy.Verdict, error) {
	pinned := func(v policy.Violation) bool { return v.Rule == policy.RulePin }
	if c.subject.IsPod() || !slices.ContainsFunc(verdict.Violations, pinned) {
		return verdict, nil
	}
	keeps, err := j.keepsTemplate(ctx, c)
	if err == nil && keeps {
		verdict.Violations = slices.DeleteFunc(slices.Clone(verdict.Violations), pinned)
	}
	return verdict, err
}
