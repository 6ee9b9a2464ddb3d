package release

import (
	"fmt"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/templatehash"
)

// AnnotationRevision holds a ReplicaSet's place in its Deployment's history.
const AnnotationRevision = "deployment.kubernetes.io/revision"

// Goal says where a rollback goes. With neither field set it goes to what ran before.
type Goal struct {
	// Revision of the Deployment's history; 0 for none.
	Revision int64
	// Release whose template was good; empty for none.
	Release string
}

// Target is the template that a rollback returns to.
type Target struct {
	Template Template
	// Revision of the ReplicaSet that has the template; 0 where none is left.
	Revision int64
	// Release that brought the template; empty where none did.
	Release string
}

// RollbackTarget chooses the template of a rollback: that of the newest Release that succeeded with
// another template than the current one, else that of the newest earlier revision. Releases are those
// of the workload, sets the ReplicaSets that it owns.
func RollbackTarget(current Template, workload string, releases []v1alpha1.Release, sets []appsv1.ReplicaSet, goal Goal) (Target, error) {
	switch {
	case goal.Revision != 0 && goal.Release != "":
		return Target{}, fmt.Errorf("choosing a rollback target: a revision and a release are both given")
	case goal.Revision != 0:
		return byRevision(sets, workload, goal.Revision)
	case goal.Release != "":
		return byRelease(releases, sets, workload, goal.Release)
	}
	newest := slices.Clone(releases)
	slices.SortFunc(newest, func(a, b v1alpha1.Release) int { return newerFirst(workload, &a, &b) })
	for i := range newest {
		if newest[i].Status.Phase != v1alpha1.PhaseSucceeded {
			continue
		}
		target, err := ofRelease(&newest[i], sets)
		if err != nil {
			return Target{}, err
		}
		if target.Template.Hash != current.Hash {
			return target, nil
		}
	}
	return previousRevision(current, workload, sets)
}

func newerFirst(workload string, a, b *v1alpha1.Release) int {
	x, _ := Number(workload, a.Name)
	y, _ := Number(workload, b.Name)
	return y - x
}

func previousRevision(current Template, workload string, sets []appsv1.ReplicaSet) (Target, error) {
	var best *appsv1.ReplicaSet
	for i := range sets {
		hash, err := templatehash.Of(&sets[i].Spec.Template)
		if err != nil {
			return Target{}, err
		}
		if hash != current.Hash && (best == nil || Revision(&sets[i]) > Revision(best)) {
			best = &sets[i]
		}
	}
	if best == nil {
		return Target{}, fmt.Errorf("choosing a rollback target: Deployment %q has no earlier revision with another template", workload)
	}
	return ofSet(best)
}

func byRevision(sets []appsv1.ReplicaSet, workload string, revision int64) (Target, error) {
	var known []int64
	for i := range sets {
		if Revision(&sets[i]) == revision {
			return ofSet(&sets[i])
		}
		known = append(known, Revision(&sets[i]))
	}
	slices.Sort(known)
	return Target{}, fmt.Errorf("choosing a rollback target: Deployment %q has no revision %d, only %v", workload, revision, known)
}

func byRelease(releases []v1alpha1.Release, sets []appsv1.ReplicaSet, workload, name string) (Target, error) {
	for i := range releases {
		if releases[i].Name != name {
			continue
		}
		if phase := releases[i].Status.Phase; phase != v1alpha1.PhaseSucceeded {
			return Target{}, fmt.Errorf("choosing a rollback target: release %q did not succeed (%s)", name, phase)
		}
		return ofRelease(&releases[i], sets)
	}
	return Target{}, fmt.Errorf("choosing a rollback target: Deployment %q has no release %q", workload, name)
}

func ofRelease(r *v1alpha1.Release, sets []appsv1.ReplicaSet) (Target, error) {
	template, err := TemplateOf(&r.Spec.To)
	if err != nil {
		return Target{}, err
	}
	target := Target{Template: template, Release: r.Name}
	if set := WithTemplate(sets, &r.Spec.To); set != nil {
		target.Revision = Revision(set)
	}
	return target, nil
}

func ofSet(set *appsv1.ReplicaSet) (Target, error) {
	typed := set.Spec.Template.DeepCopy()
	delete(typed.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	template, err := TemplateOf(typed)
	if err != nil {
		return Target{}, err
	}
	return Target{Template: template, Revision: Revision(set)}, nil
}

// Revision returns a ReplicaSet's place in its Deployment's history, or 0.
func Revision(set *appsv1.ReplicaSet) int64 {
	n, err := strconv.ParseInt(set.Annotations[AnnotationRevision], 10, 64)
	if err != nil {
		return 0
	}
	return n
}
