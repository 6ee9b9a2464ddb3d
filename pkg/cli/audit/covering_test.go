package audit

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runeframeos/kubectl-rune/pkg/cli/exit"
)

// selecting is two Environments that select the same namespaces by label, and one that cannot be judged by.
const selecting = `
apiVersion: rune.runeframeos.com/v1alpha1
kind: Environment
metadata: {name: bounded}
spec:
  namespaceSelector: {matchLabels: {stage: live}}
  rules: {resources: {require: [requests.cpu]}}
---
apiVersion: rune.runeframeos.com/v1alpha1
kind: Environment
metadata: {name: tagged}
spec:
  namespaceSelector: {matchLabels: {stage: live}}
  rules: {images: {pin: Never, denyTags: [latest]}}
`

func TestANamespaceIsJudgedByEveryEnvironmentThatSelectsIt(t *testing.T) {
	for name, namespace := range map[string]string{"of all": "", "of one namespace": "shop"} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.add(pathNamespaces, `metadata: {name: shop, labels: {stage: live}}`)
			s.add(pathPods, meta("bare")+"\nspec: "+running("bare:latest", ""))
			o, stdout, _ := s.serve(selecting)
			o.scope.namespace = namespace
			if got := exit.CodeOf(o.Run(t.Context())); got != exit.Denied {
				t.Errorf("exit code %d, want %d", got, exit.Denied)
			}
			want := []string{"Pod/bare 1 resources spec.containers[0].resources.requests.cpu", "Pod/bare 1 tags spec.containers[0].image"}
			if diff := cmp.Diff(want, findings(t, stdout)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnEnvironmentThatCannotBeJudgedByIsToldAndTheRestGoesOn(t *testing.T) {
	s := newServer(t)
	s.add(pathNamespaces, `metadata: {name: shop}`, `metadata: {name: lab}`)
	s.add(pathPods, meta("bare")+"\nspec: "+running("bare:latest", ""))
	o, stdout, _ := s.serve(shop + `
---
apiVersion: rune.runeframeos.com/v1alpha1
kind: Environment
metadata: {name: lab}
spec:
  namespaces: [lab]
  rules: {custom: [{name: broken, expression: "no CEL(", message: x}]}
`)
	err := o.Run(t.Context())
	if got := exit.CodeOf(err); got != exit.Failed || !strings.Contains(err.Error(), "custom") {
		t.Errorf("exit code %d, %v", got, err)
	}
	if found := findings(t, stdout); len(found) != 2 {
		t.Errorf("findings %q, want the two of the namespace that can be judged", found)
	}
}

func TestJobsThatHaveEndedAreNotJudged(t *testing.T) {
	s := newServer(t)
	s.add(pathNamespaces, `metadata: {name: shop}`)
	s.add("/apis/batch/v1/namespaces/shop/jobs",
		meta("done")+"\n"+template(running("done:latest", ""))+"\nstatus: {conditions: [{type: Complete, status: 'True'}]}",
		meta("failed")+"\n"+template(running("failed:latest", ""))+"\nstatus: {conditions: [{type: Failed, status: 'True'}]}",
		meta("at-work")+"\n"+template(running("at-work:latest", "1"))+"\nstatus: {conditions: [{type: Suspended, status: 'True'}]}")
	o, stdout, _ := s.serve(shop)
	if got := exit.CodeOf(o.Run(t.Context())); got != exit.Denied {
		t.Errorf("exit code %d, want %d", got, exit.Denied)
	}
	if diff := cmp.Diff([]string{"Job/at-work 0 tags spec.template.spec.containers[0].image"}, findings(t, stdout)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
