package admission_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// crowded is a Deployment of many containers, each of which breaks rules.
func crowded(containers int) []byte {
	var list strings.Builder
	for i := range containers {
		if i > 0 {
			list.WriteByte(',')
		}
		fmt.Fprintf(&list, `{"name":"c%d","image":"x"}`, i)
	}
	return deployment("web", "", `{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[`+list.String()+`]}}`)
}

func TestAnAnswerIsBoundedHoweverManyContainersAskForIt(t *testing.T) {
	w := newWorld(t)
	w.environment.Spec.Rules = v1alpha1.Rules{
		PodSecurity: &v1alpha1.PodSecurityRules{Level: "restricted"},
		Resources:   &v1alpha1.ResourceRules{Require: []v1alpha1.ResourceField{"requests.cpu", "requests.memory", "limits.memory"}},
		// The one violation that denies comes after thousands that only warn.
		Metadata: &v1alpha1.MetadataRules{Labels: []v1alpha1.RequiredMetadata{{Key: "team"}}},
		Probes:   &v1alpha1.ProbeRules{Require: []v1alpha1.ProbeKind{"readiness"}},
	}
	w.environment.Spec.Enforcement = v1alpha1.EnforcementWarn
	w.environment.Spec.Rules.Metadata.Enforcement = v1alpha1.EnforcementEnforce
	response := w.validate(review{object: crowded(1000), user: user("ann")})
	requireRefused(t, response, `must have the label "team"`)
	if got, want := response.AuditAnnotations["rules"], "labels,podSecurity,probes,resources"; got != want {
		t.Errorf("rules = %s, want %s", got, want)
	}
	if total := len(response.AuditAnnotations["violations"]) + len(strings.Join(response.Warnings, "")); total > 32*1024 {
		t.Errorf("annotations and warnings of %d bytes", total)
	}

	requireRefused(t, w.validate(review{object: crowded(1001), user: user("ann")}), "1001 containers are too many to be judged")

	w.environment.Spec.Enforcement = v1alpha1.EnforcementEnforce
	response = w.validate(review{object: crowded(1000), user: user("ann")})
	requireRefused(t, response, "more, which `kubectl rune check` lists")
	if size := len(response.Result.Message); size > 160*1024 {
		t.Errorf("the message has %d bytes", size)
	}
	if causes := len(response.Result.Details.Causes); causes > 200 {
		t.Errorf("%d causes", causes)
	}
}
