package engine_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

func asking(rollback v1alpha1.RollbackApproval, pins bool) *v1alpha1.Environment {
	env := &v1alpha1.Environment{}
	env.Name = "production"
	env.Spec.Rules.Approval = &v1alpha1.ApprovalRules{MinApprovals: 1, Rollback: rollback}
	if pins {
		env.Spec.Rules.Signatures = &v1alpha1.SignatureRules{}
	}
	return env
}

func TestAReleaseThatNeedsApprovalIsRequestedByDigest(t *testing.T) {
	pinned := func(image string) string { return image + digestOf(image) }
	tests := map[string]struct {
		scenario    string
		environment *v1alpha1.Environment
		outside     bool
		noPods      bool
		template    string
		want, text  string
	}{
		"a canary gets the digest that the webhook found": {scenario: "a canary finishes by adoption", environment: asking(v1alpha1.RollbackApprovalRequired, true), want: pinned("web:v2")},
		"a new workload too":                              {scenario: "a workload is created", environment: asking(v1alpha1.RollbackApprovalRequired, true), want: pinned("web:v1")},
		"a rollback too, where it needs approval":         {scenario: "a rollback rolls", environment: asking(v1alpha1.RollbackApprovalRequired, true), template: "web:v0", want: pinned("web:v0")},
		"a rollback that needs none keeps the old template": {scenario: "a rollback rolls", environment: asking(v1alpha1.RollbackApprovalNone, true),
			template: "web:v0", want: "web:v0"},
		"an image with a digest stays as it is": {scenario: "a rollback rolls", environment: asking(v1alpha1.RollbackApprovalRequired, false),
			template: "web:v0@sha256:abcd", want: "web:v0@sha256:abcd"},
		"outside all environments a tag stays a tag": {scenario: "a canary finishes by adoption", outside: true, want: "web:v2"},
		"an environment that does not pin": {scenario: "a canary finishes by adoption", environment: asking(v1alpha1.RollbackApprovalRequired, false),
			text: `write each image by digest (NAME:TAG@sha256:…)` + "\n" + `  spec.template.spec.containers[0].image: "web:v2"`},
		"a caller who may not try pods": {scenario: "a canary finishes by adoption", environment: asking(v1alpha1.RollbackApprovalRequired, true), noPods: true,
			text: "write each image by digest"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := scenarios()[tt.scenario]
				w := &world{t: t, m: newModel(t), s: s}
				if s.strategy != v1alpha1.StrategyCreate {
					seed(t, w.m, "web:v1")
				}
				w.m.environment = tt.environment
				if tt.noPods {
					w.m.missing = []engine.Right{{Verb: "create", Resource: "pods"}}
				}
				request := s.request(t)
				if !tt.outside {
					request.Environment = "production"
				}
				if tt.template != "" {
					typed := podTemplate(tt.template)
					tmpl, err := release.TemplateOf(&typed)
					if err != nil {
						t.Fatal(err)
					}
					request.Edit, request.Template = nil, &tmpl
				}
				e, _ := w.driver(t.Context(), 0, false)
				rel, err := e.Request(t.Context(), request)
				if tt.text != "" {
					if !isA[*engine.PolicyError](err) || !strings.Contains(err.Error(), tt.text) {
						t.Errorf("error %T %v, want %q", err, err, tt.text)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if got := rel.Spec.To.Spec.Containers[0].Image; got != tt.want {
					t.Errorf("the release is of %s, want %s", got, tt.want)
				}
			})
		})
	}
}
