package registration

import (
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// conditionName names the condition that each entry has for the kinds that Rune knows.
const conditionName = "judged-part-changes"

// matchConditions keep updates away that change nothing that is judged, so that scaling, pausing,
// annotations, owner references and finalizers do not wait for the webhook. They are narrower than
// admission's own idea of an unchanged object: what they keep away, it would admit without a look.
//
// An error would deny the request, so nothing here can fail: optional fields (`.?`, in CEL since Kubernetes
// 1.28) make a missing one equal to a missing one. A CREATE, and what is none of these resources, is always asked.
//
// Where an Environment has custom rules, which see the whole object, any other change of a spec than that of a
// workload's size is asked about too.
//
// Where revisions are believed, by the rules of approval and access, an update of what says whose revision a
// ReplicaSet or a ControllerRevision is is asked about too.
func matchConditions(custom, revisions bool) []admissionregistrationv1.MatchCondition {
	differs := func(path string) string { return "object" + path + " != oldObject" + path }
	template := differs
	if custom {
		template = func(string) string { return "(" + specChanges() + ")" }
	}
	set, revision := template(".?spec.?template"), differs(".?data")
	if revisions {
		adopted := " || " + differs(".metadata.?labels") + " || " + differs(".metadata.?ownerReferences")
		set, revision = "("+set+adopted+")", "("+revision+adopted+")"
	}
	changed := []struct{ group, resources, expression string }{
		{"", "'pods'", differs(".?spec")},
		{v1alpha1.GroupName, "'releases', 'approvals', 'exemptions'", differs(".?spec")},
		{"apps", "'deployments', 'statefulsets', 'daemonsets'", template(".?spec.?template")},
		{"apps", "'replicasets'", set},
		{"batch", "'jobs'", template(".?spec.?template")},
		{"", "'replicationcontrollers'", template(".?spec.?template")},
		{"batch", "'cronjobs'", template(".?spec.?jobTemplate.?spec.?template")},
		{"apps", "'controllerrevisions'", revision},
	}
	var expression strings.Builder
	expression.WriteString("request.operation != 'UPDATE' || (")
	for _, c := range changed {
		expression.WriteString("request.resource.group == '" + c.group + "' && request.resource.resource in [" + c.resources + "] ? " + c.expression + " : ")
	}
	expression.WriteString("true)")
	return []admissionregistrationv1.MatchCondition{{Name: conditionName, Expression: expression.String()}}
}

// specChanges says in CEL that a spec differs in more than the size of the workload. A spec that is no object counts
// as a change (in CEL an error beside a true is true).
func specChanges() string {
	const spec = ".?spec.orValue({})"
	var parts []string
	for _, object := range []string{"object", "oldObject"} {
		parts = append(parts, object+spec+".exists(f, !(f in ['replicas', 'paused', 'suspend', 'parallelism']) && object.?spec[?f] != oldObject.?spec[?f])")
	}
	for _, object := range []string{"object", "oldObject"} {
		parts = append(parts, "type("+object+spec+") != map")
	}
	return strings.Join(parts, " || ")
}
