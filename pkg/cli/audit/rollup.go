package audit

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/runeframeos/kubectl-rune/pkg/cli/report"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// judged is a verdict and the object, or the pods of a workload, that share it.
type judged struct {
	object  report.Object
	path    string
	verdict policy.Verdict
	pods    int
	err     error
	// workload tells a verdict over a template or a bare pod from one over pods of a workload.
	workload bool
}

// rollup gathers the verdicts of one namespace.
type rollup struct {
	environment string
	all         []*judged
	// groups are the verdicts over pods of workloads, by workload and by what they say.
	groups map[string]*judged
}

func newRollup(environment string) *rollup {
	return &rollup{environment: environment, groups: map[string]*judged{}}
}

// add takes the verdict over a template, a bare pod or a namespace.
func (r *rollup) add(object report.Object, path string, verdict policy.Verdict, err error) *judged {
	one := &judged{object: object, path: path, verdict: verdict, err: err, workload: true}
	r.all = append(r.all, one)
	return one
}

// addPod takes the verdict over a pod of a workload. What only repeats the verdict over the workload's own
// template counts there; the rest is told once for all pods that share it.
func (r *rollup) addPod(name string, root *workload, verdict policy.Verdict, err error) {
	verdict = nameless(verdict, name)
	if root.result != nil {
		verdict = beyond(verdict, root.result)
		if err == nil && len(verdict.Violations)+len(verdict.Exempted) == 0 {
			root.result.pods++
			return
		}
	}
	key := fmt.Sprintf("%s %s %s|%v|%v", root.object.APIVersion, root.object.Kind, root.object.Name, verdict, err)
	group, ok := r.groups[key]
	if !ok {
		group = &judged{object: root.object, verdict: verdict, err: err}
		r.groups[key] = group
		r.all = append(r.all, group)
	}
	group.pods++
}

// beyond removes what a workload's template violates too. Fields are mapped: those of the template stand
// below its path in the workload.
func beyond(pod policy.Verdict, of *judged) policy.Verdict {
	below := func(v policy.Violation) policy.Violation {
		if v.Field != "" && of.path != "" {
			v.Field = of.path + "." + v.Field
		}
		return v
	}
	rest := policy.Verdict{Deferred: pod.Deferred}
	for _, violation := range pod.Violations {
		if !slices.Contains(of.verdict.Violations, below(violation)) {
			rest.Violations = append(rest.Violations, violation)
		}
	}
	for _, exempted := range pod.Exempted {
		mapped := exempted
		mapped.Violation = below(exempted.Violation)
		if !slices.Contains(of.verdict.Exempted, mapped) {
			rest.Exempted = append(rest.Exempted, exempted)
		}
	}
	return rest
}

// tokenVolume is the volume that the API server gives each pod under a name of its own.
var tokenVolume = regexp.MustCompile(`\bkube-api-access-[a-z0-9]{5}\b`)

// nameless takes what differs from pod to pod out of messages, so that pods can share them.
func nameless(verdict policy.Verdict, pod string) policy.Verdict {
	text := func(v policy.Violation) policy.Violation {
		v.Message = strings.ReplaceAll(tokenVolume.ReplaceAllString(v.Message, "kube-api-access-*"), fmt.Sprintf("%q", pod), "NAME")
		return v
	}
	for i := range verdict.Violations {
		verdict.Violations[i] = text(verdict.Violations[i])
	}
	for i := range verdict.Exempted {
		verdict.Exempted[i].Violation = text(verdict.Exempted[i].Violation)
	}
	return verdict
}

// results of the namespace: itself first, then the workloads by kind and name, each before its pods.
func (r *rollup) results() []report.Result {
	slices.SortStableFunc(r.all, func(a, b *judged) int {
		return cmp.Or(
			cmp.Compare(rank(a), rank(b)), cmp.Compare(a.object.Kind, b.object.Kind),
			cmp.Compare(a.object.APIVersion, b.object.APIVersion), cmp.Compare(a.object.Name, b.object.Name),
			cmp.Compare(place(a), place(b)), cmp.Compare(b.pods, a.pods),
		)
	})
	results := make([]report.Result, 0, len(r.all))
	for _, one := range r.all {
		results = append(results, report.Result{
			Object: one.object, Environment: r.environment, Verdict: one.verdict, Pods: one.pods, Err: one.err,
		})
	}
	return results
}

func rank(one *judged) int {
	if one.object.Kind == "Namespace" {
		return 0
	}
	return 1
}

func place(one *judged) int {
	if one.workload {
		return 0
	}
	return 1
}
