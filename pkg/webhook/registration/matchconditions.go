package registration

import (
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
)

// conditionName names the one condition of each entry.
const conditionName = "judged-part-changes"

// matchConditions keep updates away that change nothing that is judged, so that scaling, pausing,
// annotations, owner references and finalizers do not wait for the webhook. They are narrower than
// admission's own idea of an unchanged object: what they keep away, it would admit without a look.
//
// An error would deny the request, so nothing here can fail: optional fields (`.?`, in CEL since Kubernetes
// 1.28) make a missing one equal to a missing one. A CREATE, and what is none of these resources, is always asked.
func matchConditions() []admissionregistrationv1.MatchCondition {
	differs := func(path string) string { return "object" + path + " != oldObject" + path }
	changed := []struct{ resources, expression string }{
		{"'pods', 'releases', 'approvals'", differs(".?spec")},
		{"'deployments', 'replicasets', 'statefulsets', 'daemonsets', 'jobs', 'replicationcontrollers'", differs(".?spec.?template")},
		{"'cronjobs'", differs(".?spec.?jobTemplate.?spec.?template")},
		{"'controllerrevisions'", differs(".?data")},
	}
	var expression strings.Builder
	expression.WriteString("request.operation != 'UPDATE' || (")
	for _, c := range changed {
		expression.WriteString("request.resource.resource in [" + c.resources + "] ? " + c.expression + " : ")
	}
	expression.WriteString("true)")
	return []admissionregistrationv1.MatchCondition{{Name: conditionName, Expression: expression.String()}}
}
