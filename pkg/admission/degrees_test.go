package admission_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

func of(enforcement v1alpha1.Enforcement) v1alpha1.RuleEnforcement {
	return v1alpha1.RuleEnforcement{Enforcement: enforcement}
}

func TestEachRuleHasItsOwnDegree(t *testing.T) {
	revision := fmt.Appendf(nil, `{"apiVersion":"apps/v1","kind":"ControllerRevision","metadata":{"name":"db-1","namespace":"prod"},"data":{"spec":{"template":%s}}}`, template("r.local/web:v1"))
	web := deployment("web", "", template("r.local/web:v1"))
	tests := map[string]struct {
		environment v1alpha1.Enforcement
		approval    *v1alpha1.ApprovalRules
		access      *v1alpha1.AccessRules
		object      []byte
		verdict     string
		warned      int
	}{
		"approval denies by the environment's":             {approval: &v1alpha1.ApprovalRules{}, object: web, verdict: "denied"},
		"approval warns by its own":                        {approval: &v1alpha1.ApprovalRules{RuleEnforcement: of("Warn")}, object: web, verdict: "warned", warned: 1},
		"approval denies by its own":                       {environment: "Audit", approval: &v1alpha1.ApprovalRules{RuleEnforcement: of("Enforce")}, object: web, verdict: "denied"},
		"access is audited by its own":                     {access: &v1alpha1.AccessRules{RuleEnforcement: of("Audit")}, object: web, verdict: "audited"},
		"access warns and approval denies":                 {approval: &v1alpha1.ApprovalRules{}, access: &v1alpha1.AccessRules{RuleEnforcement: of("Warn")}, object: web, verdict: "denied", warned: 1},
		"a ControllerRevision by approval's":               {approval: &v1alpha1.ApprovalRules{RuleEnforcement: of("Warn")}, object: revision, verdict: "warned", warned: 1},
		"a ControllerRevision by the environment's":        {environment: "Audit", approval: &v1alpha1.ApprovalRules{}, object: revision, verdict: "audited"},
		"a ControllerRevision by access's":                 {environment: "Warn", access: &v1alpha1.AccessRules{RuleEnforcement: of("Enforce")}, object: revision, verdict: "denied"},
		"a ControllerRevision where neither rule is asked": {object: revision, verdict: "allowed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.environment.Spec.Enforcement = tt.environment
			w.environment.Spec.Rules = v1alpha1.Rules{Approval: tt.approval, Access: tt.access}
			response := w.validate(review{object: tt.object, user: user("ann")})
			if got := response.AuditAnnotations[admission.AuditVerdict]; got != tt.verdict || len(response.Warnings) != tt.warned {
				t.Errorf("verdict %q, want %q; warnings %q, want %d", got, tt.verdict, response.Warnings, tt.warned)
			}
			if denied := tt.verdict == "denied"; denied == response.Allowed || len(w.denials) > 0 != denied {
				t.Errorf("allowed %t, recorded %+v", response.Allowed, w.denials)
			}
		})
	}
}

func TestADenialIsRecordedOnce(t *testing.T) {
	w := newWorld(t)
	w.environment.Spec.Rules = v1alpha1.Rules{Approval: &v1alpha1.ApprovalRules{}, Access: &v1alpha1.AccessRules{}}
	r := review{object: deployment("web", "", template("r.local/web:v1")), user: user("ann")}
	response := w.validate(r)
	requireRefused(t, response)
	if len(w.denials) != 1 {
		t.Fatalf("%d denials recorded, want 1", len(w.denials))
	}
	got := w.denials[0]
	if diff := cmp.Diff([]policy.Rule{policy.RuleAccess, policy.RuleApproval}, got.Rules); diff != "" ||
		got.Environment != environmentName || got.Message != response.Result.Message || got.Request.Name != "web" {
		t.Errorf("recorded %+v", got)
	}
	r.dryRun = true
	requireRefused(t, w.validate(r), "[access]")
	if len(w.denials) != 1 {
		t.Errorf("a dry run was recorded: %+v", w.denials[1:])
	}
}

func TestWarningsAreBoundedInAll(t *testing.T) {
	w := newWorld(t)
	w.environment.Spec.Enforcement = v1alpha1.EnforcementWarn
	w.environment.Spec.Rules.Resources = strict().Resources
	var containers []string
	for i := range 40 {
		containers = append(containers, fmt.Sprintf(`{"name":"c%d","image":"r.local/web:v1"}`, i))
	}
	response := w.validate(review{object: pod(`{"containers":[` + strings.Join(containers, ",") + `]}`), user: user("ann")})
	requireAllowed(t, response)
	total := 0
	for _, text := range response.Warnings {
		total += len(text)
	}
	if last := response.Warnings[len(response.Warnings)-1]; total > 4096-256 || !strings.Contains(last, "more violations") {
		t.Errorf("%d bytes of warnings, the last is %q", total, last)
	}
	if got := strings.Count(response.AuditAnnotations[admission.AuditViolations], "\n"); got != 120 {
		t.Errorf("%d lines in the audit annotation, want all 120 violations", got)
	}
}

func TestAccessIsAskedOfEverybodyButProvenControllers(t *testing.T) {
	owner := object("apps/v1", "ReplicaSet", "web-abc", "rs1", template("r.local/web:v1"))
	tests := map[string]struct {
		review  review
		refused bool
	}{
		"who holds the verb":                  {review: review{object: deployment("web", "", template("r.local/web:v1")), user: user("dee")}},
		"who does not":                        {review: review{object: deployment("web", "", template("r.local/web:v1")), user: user("ann")}, refused: true},
		"who may approve only":                {review: review{object: deployment("web", "", template("r.local/web:v1")), user: user("ben")}, refused: true},
		"a controller's child":                {review: review{object: child(), user: controller("replicaset-controller")}},
		"a person's Pod that names an owner":  {review: review{object: child(), user: user("ann")}, refused: true},
		"a controller's Pod without an owner": {review: review{object: podOf("r.local/web:v1"), user: controller("replicaset-controller")}, refused: true},
		"an update that changes nothing judged": {review: review{
			object: deployment("web", "", template("r.local/web:v1"), annotation("a", "b")), old: deployment("web", "", template("r.local/web:v1")), user: user("ann")}},
		"an update of the template": {review: review{
			object: deployment("web", "", template("r.local/web:v2")), old: deployment("web", "", template("r.local/web:v1")), user: user("ann")}, refused: true},
		"debugging": {review: review{
			object: running("r.local/web:v1", "64Mi", `,"ephemeralContainers":[{"name":"d","image":"r.local/web:v1"}]`), old: running("r.local/web:v1", "64Mi", ""),
			user: user("ann"), subresource: "ephemeralcontainers"}, refused: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.environment.Spec.Rules.Access = &v1alpha1.AccessRules{}
			w.holders[v1alpha1.VerbDeploy] = []string{"dee"}
			w.store(owner)
			response := w.validate(tt.review)
			if tt.refused {
				requireRefused(t, response, "[access]", fmt.Sprintf("user %q", tt.review.user.Username))
			} else {
				requireAllowed(t, response)
			}
		})
	}
}
