package admission_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

const (
	keyRelease  = "Release.rune.runeframeos.com prod/web-7"
	keyApproval = "Approval.rune.runeframeos.com prod/web-7-ben"
)

func setSpec(t *testing.T, object *unstructured.Unstructured, value any, path ...string) {
	t.Helper()
	if err := unstructured.SetNestedField(object.Object, value, append([]string{"spec"}, path...)...); err != nil {
		t.Fatal(err)
	}
}

func TestATemplateEntersOnlyWithASealedReleaseAndSealedApprovals(t *testing.T) {
	always := func(*world, *review) {}
	tests := map[string]struct {
		rules  v1alpha1.ApprovalRules
		change func(w *world, r *review)
		// refusal is part of the message; empty where the request is admitted.
		refusal string
	}{
		"what another person approved is admitted": {change: always},
		"without an annotation": {
			change:  func(_ *world, r *review) { r.object = deployment("web", "d1", next()) },
			refusal: "no annotation rune.runeframeos.com/release names one"},
		"an annotation of the template does not count": {
			change: func(_ *world, r *review) {
				r.object = deployment("web", "d1", `{"metadata":{`+pointsTo("web-7")+`},"spec":{"containers":[]}}`)
			},
			refusal: "no annotation rune.runeframeos.com/release names one"},
		"a forged annotation of a Release that does not exist": {
			change: func(_ *world, r *review) {
				r.object = deployment("web", "d1", next(), pointsTo("web-8"))
			},
			refusal: `Release "web-8" does not exist in namespace "prod"`},
		"a Release whose seal is forged": {
			change:  func(w *world, _ *review) { setSpec(t, w.objects[keyRelease], "v1:0000", "seal") },
			refusal: `Release "web-7" bears no valid seal`},
		"a Release whose seal is gone": {
			change: func(w *world, _ *review) {
				unstructured.RemoveNestedField(w.objects[keyRelease].Object, "spec", "seal")
			},
			refusal: `Release "web-7" bears no valid seal`},
		"a Release whose requester was changed after the seal": {
			change:  func(w *world, _ *review) { setSpec(t, w.objects[keyRelease], "zoe", "requestedBy", "username") },
			refusal: `Release "web-7" bears no valid seal`},
		"a Release that was sealed with another key": {
			change:  func(w *world, _ *review) { w.key = []byte("another key of thirty-two bytes!!") },
			refusal: `Release "web-7" bears no valid seal`},
		"a template that differs from the approved one by its image": {
			change: func(_ *world, r *review) {
				r.object = deployment("web", "d1", template("r.local/bad:v1"), pointsTo("web-7"))
			},
			refusal: `is not the one of Release "web-7"`},
		"a template that differs by a field unknown to this version": {
			change: func(_ *world, r *review) {
				r.object = deployment("web", "d1", `{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"app","image":"r.local/web:v2@`+digestTwo+`","fieldOfTheFuture":8}]}}`, pointsTo("web-7"))
			},
			refusal: `is not the one of Release "web-7"`},
		"another Deployment": {
			change: func(_ *world, r *review) {
				r.object = deployment("api", "d2", next(), pointsTo("web-7"))
				r.old = deployment("api", "d2", template("r.local/web:v1"))
			},
			refusal: `Release "web-7" is for Deployment "web"`},
		"a Deployment that replaced the one of the Release": {
			change: func(_ *world, r *review) {
				r.object = deployment("web", "d9", next(), pointsTo("web-7"))
				r.old = deployment("web", "d9", template("r.local/web:v1"))
			},
			refusal: `Release "web-7" is for Deployment "web" (UID "d1")`},
		"another kind of the same name": {
			change: func(_ *world, r *review) {
				r.object = object("apps/v1", "StatefulSet", "web", "", next(), pointsTo("web-7"))
				r.old = nil
			},
			refusal: `not for StatefulSet "web"`},
		"the canary Deployment, named like the Release": {
			change: func(_ *world, r *review) {
				r.object = deployment("web-7", "", next(), pointsTo("web-7"))
				r.old = nil
			}},
		"a StatefulSet named like the Release": {
			change: func(_ *world, r *review) {
				r.object = object("apps/v1", "StatefulSet", "web-7", "", next(), pointsTo("web-7"))
				r.old = nil
			},
			refusal: `not for StatefulSet "web-7"`},
		"too few approvals": {
			rules: v1alpha1.ApprovalRules{MinApprovals: 2}, change: always,
			refusal: `has 1 of 2 approvals`},
		"two people": {
			rules: v1alpha1.ApprovalRules{MinApprovals: 2}, change: func(w *world, _ *review) { w.approve("web-7", "cem") }},
		"an approval that expired": {
			rules:   v1alpha1.ApprovalRules{ValidFor: &metav1.Duration{Duration: time.Hour}},
			change:  func(w *world, _ *review) { w.clock.SetTime(w.clock.Now().Add(time.Hour)) },
			refusal: `that of "ben" expired at 2026-11-23T10:00:00Z`},
		"an approval that still counts": {
			rules:  v1alpha1.ApprovalRules{ValidFor: &metav1.Duration{Duration: time.Hour}},
			change: func(w *world, _ *review) { w.clock.SetTime(w.clock.Now().Add(59 * time.Minute)) }},
		"an approval whose time was moved after the seal": {
			change:  func(w *world, _ *review) { setSpec(t, w.objects[keyApproval], "2030-01-01T00:00:00Z", "approvedAt") },
			refusal: "has 0 of 1 approvals"},
		"an approval whose approver was changed after the seal": {
			change:  func(w *world, _ *review) { setSpec(t, w.objects[keyApproval], "cem", "approver", "username") },
			refusal: "has 0 of 1 approvals"},
		"an approval for another template": {
			change:  func(w *world, _ *review) { setSpec(t, w.objects[keyApproval], "v1:other", "templateHash") },
			refusal: "has 0 of 1 approvals"},
		"an approval of an earlier Release of the same name": {
			change: func(w *world, _ *review) {
				w.store(w.request(review{object: mustJSON(t, w.objects[keyRelease])}).Object.Raw).SetUID("later")
			},
			refusal: "has 0 of 1 approvals"},
		"an approval that is being withdrawn": {
			change: func(w *world, _ *review) {
				now := metav1.NewTime(w.clock.Now())
				w.objects[keyApproval].SetDeletionTimestamp(&now)
			},
			refusal: "has 0 of 1 approvals"},
		"a Release of another environment": {
			change: func(w *world, _ *review) {
				delete(w.objects, keyRelease)
				w.store(w.stampedIn("staging", release("web-7", "d1", next()), user("ann")))
			},
			refusal: `Release "web-7" is for environment "staging"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := releaseInFlight(t, &tt.rules)
			w.approve("web-7", "ben")
			r := toV2()
			tt.change(w, &r)
			response := w.validate(r)
			if tt.refusal == "" {
				requireAllowed(t, response)
				return
			}
			requireRefused(t, response, tt.refusal, "[approval]")
		})
	}
}

func TestWithoutApprovalTheMessageNamesTheNextCommand(t *testing.T) {
	w := releaseInFlight(t, &v1alpha1.ApprovalRules{})
	requireRefused(t, w.validate(toV2()), `spec.template: Release "web-7" has 0 of 1 approvals: someone else must run `+"`kubectl rune approve release/web-7`  [approval]")
}

func TestARollbackNeedsApprovalUnlessTheEnvironmentSaysNone(t *testing.T) {
	tests := map[string]struct {
		rollback v1alpha1.RollbackApproval
		owner    string
		image    string
		refused  bool
	}{
		"None, to a template of its own ReplicaSet": {rollback: v1alpha1.RollbackApprovalNone, owner: "d1", image: "r.local/web:v1"},
		"None, to a template it never ran":          {rollback: v1alpha1.RollbackApprovalNone, owner: "d1", image: "r.local/web:v3", refused: true},
		"None, to another Deployment's ReplicaSet":  {rollback: v1alpha1.RollbackApprovalNone, owner: "d2", image: "r.local/web:v1", refused: true},
		"Required, to a template of its own":        {rollback: v1alpha1.RollbackApprovalRequired, owner: "d1", image: "r.local/web:v1", refused: true},
		"by default, to a template of its own":      {owner: "d1", image: "r.local/web:v1", refused: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.environment.Spec.Rules.Approval = &v1alpha1.ApprovalRules{Rollback: tt.rollback}
			labeled := `{"metadata":{"labels":{"app":"web","pod-template-hash":"abc"}},"spec":{"containers":[{"name":"app","image":"r.local/web:v1","fieldOfTheFuture":7}]}}`
			w.store(object("apps/v1", "ReplicaSet", "web-abc", "rs1", labeled, ownedBy("apps/v1", "Deployment", "web", tt.owner)))
			response := w.validate(review{
				object: deployment("web", "d1", template(tt.image)), old: deployment("web", "d1", template("r.local/web:v2")), user: user("ann"),
			})
			if tt.refused {
				requireRefused(t, response, "[approval]")
			} else {
				requireAllowed(t, response)
			}
		})
	}
}
