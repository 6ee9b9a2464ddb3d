package admission_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// requested is a world where web runs v1 and ann requested a Release web-7, which ben approved.
func requested(t *testing.T, rules *v1alpha1.ApprovalRules, to string, change ...func(*v1alpha1.Release)) *world {
	t.Helper()
	w := newWorld(t)
	w.environment.Spec.Rules.Approval = rules
	w.store(deployment("web", "d1", template("r.local/web:v1")))
	w.admit(review{object: release("web-7", "d1", to, change...), user: user("ann")})
	w.approve("web-7", "ben")
	return w
}

func TestAReleaseThatNeedsApprovalNamesImagesByDigest(t *testing.T) {
	good := "r.local/web:v2@" + digestTwo
	spec := func(format string) string {
		return fmt.Sprintf(`{"spec":{"containers":[{"name":"app","image":%q}],`+format+`}}`, good, "r.local/web:v2")
	}
	rollback := func(r *v1alpha1.Release) { r.Spec.Action = v1alpha1.ActionRollback }
	tests := map[string]struct {
		rules   *v1alpha1.ApprovalRules
		to      string
		change  []func(*v1alpha1.Release)
		refusal string
	}{
		"a tag": {rules: &v1alpha1.ApprovalRules{}, to: template("r.local/web:v2"),
			refusal: `spec.to.spec.containers[0].image: image "r.local/web:v2" of container "app" must be named by its digest`},
		"the latest tag, unsaid": {rules: &v1alpha1.ApprovalRules{}, to: template("r.local/web"),
			refusal: `spec.to.spec.containers[0].image: image "r.local/web" of container "app"`},
		"what only looks like a digest": {rules: &v1alpha1.ApprovalRules{}, to: template("r.local/web@sha256:12"),
			refusal: `spec.to.spec.containers[0].image`},
		"the tag of an init container": {rules: &v1alpha1.ApprovalRules{}, to: spec(`"initContainers":[{"name":"setup","image":%q}]`),
			refusal: `spec.to.spec.initContainers[0].image: image "r.local/web:v2" of init container "setup"`},
		"the tag of an image volume": {rules: &v1alpha1.ApprovalRules{}, to: spec(`"volumes":[{"name":"data","image":{"reference":%q}}]`),
			refusal: `spec.to.spec.volumes[0].image.reference: image "r.local/web:v2" of volume "data"`},
		"a rollback to a tag where rollbacks need approval": {
			rules: &v1alpha1.ApprovalRules{Rollback: v1alpha1.RollbackApprovalRequired}, to: template("r.local/web:v2"),
			change: []func(*v1alpha1.Release){rollback}, refusal: "must be named by its digest"},
		"another action with a tag where rollbacks need none": {
			rules: &v1alpha1.ApprovalRules{Rollback: v1alpha1.RollbackApprovalNone}, to: template("r.local/web:v2"), refusal: "must be named by its digest"},
		"a rollback to a tag where rollbacks need none": {
			rules: &v1alpha1.ApprovalRules{Rollback: v1alpha1.RollbackApprovalNone}, to: template("r.local/web:v2"), change: []func(*v1alpha1.Release){rollback}},
		"a digest behind a tag":           {rules: &v1alpha1.ApprovalRules{}, to: next()},
		"a digest":                        {rules: &v1alpha1.ApprovalRules{}, to: template("r.local/web@" + digestTwo)},
		"a tag where nobody must approve": {to: template("r.local/web:v2")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.environment.Spec.Rules.Approval = tt.rules
			w.store(deployment("web", "d1", template("r.local/web:v1")))
			r := review{object: release("web-7", "d1", tt.to, tt.change...), user: user("ann")}
			if tt.refusal == "" {
				w.admit(r)
				return
			}
			response, _ := w.mutate(r)
			requireRefused(t, response, tt.refusal, "`kubectl rune canary` writes digests by itself", "[release]")
			requireRefused(t, w.validate(r), tt.refusal, "[release]")
		})
	}
}

// Releases with a tag exist where the rules were others when they were requested.
func TestNoApprovalCoversATag(t *testing.T) {
	tag := template("r.local/web:v2")
	rules := &v1alpha1.ApprovalRules{Rollback: v1alpha1.RollbackApprovalNone}
	w := requested(t, rules, tag, func(r *v1alpha1.Release) { r.Spec.Action = v1alpha1.ActionRollback })
	requireRefused(t, w.validate(review{
		object: deployment("web", "d1", tag, pointsTo("web-7")), old: deployment("web", "d1", template("r.local/web:v1")), user: user("ann"),
	}), `spec.template.spec.containers[0].image: image "r.local/web:v2" of container "app" has no digest, and the approval of Release "web-7" covers images by digest only`, "[approval]")
	requireRefused(t, w.validate(review{object: deployment("web-7", "", tag, pointsTo("web-7")), user: user("ann")}), "has no digest")
}

func TestAnApprovedReleaseCoversOneStepOnly(t *testing.T) {
	create := func(r *v1alpha1.Release) { r.Spec.Strategy, r.Spec.Workload.UID = v1alpha1.StrategyCreate, "" }
	rolling := func(r *v1alpha1.Release) { r.Spec.Strategy = v1alpha1.StrategyRolling }
	v3 := template("r.local/web:v3@" + digestBad)
	canary := review{object: deployment("web-7", "", next(), pointsTo("web-7")), user: user("ann")}
	tests := map[string]struct {
		strategy func(*v1alpha1.Release)
		change   func(w *world) review
		refusal  string
	}{
		"from spec.from to spec.to": {change: func(*world) review { return toV2() }},
		"again, after another release": {change: func(*world) review {
			r := toV2()
			r.old = deployment("web", "d1", v3, pointsTo("web-8"))
			return r
		}, refusal: `Release "web-7" was requested and approved for another pod template of Deployment "web" than it has now (spec.from)`},
		"a new workload of a canary's name": {change: func(*world) review {
			return review{object: deployment("web", "", next(), pointsTo("web-7")), user: user("ann")}
		}, refusal: "does not create one"},
		"the workload that it creates": {strategy: create, change: func(*world) review {
			return review{object: deployment("web", "", next(), pointsTo("web-7")), user: user("ann")}
		}},
		"an update of the workload that it created": {strategy: create, change: func(*world) review {
			r := toV2()
			r.old = deployment("web", "d1", v3, pointsTo("web-8"))
			return r
		}, refusal: `Release "web-7" creates its workload (strategy "Create"), and changes none that exists`},
		"the canary": {change: func(*world) review { return canary }},
		"the canary while the workload has arrived": {change: func(w *world) review {
			w.store(deployment("web", "d1", next()))
			return canary
		}},
		"the canary again, after another release": {change: func(w *world) review {
			w.store(deployment("web", "d1", v3))
			return canary
		}, refusal: "for another pod template of Deployment \"web\""},
		"the canary of a workload that is gone": {change: func(w *world) review {
			delete(w.objects, "Deployment.apps prod/web")
			return canary
		}, refusal: `Deployment "web" of Release "web-7" does not exist`},
		"the canary of a workload that was replaced": {change: func(w *world) review {
			w.store(deployment("web", "d9", template("r.local/web:v1")))
			return canary
		}, refusal: `Deployment "web" has UID "d9", not "d1"`},
		"another Deployment that turns into the canary": {change: func(*world) review {
			return review{object: canary.object, old: deployment("web-7", "", template("r.local/web:v1")), user: user("ann")}
		}, refusal: "had another pod template than spec.to: delete it"},
		"a canary of a rolling release": {strategy: rolling, change: func(*world) review { return canary },
			refusal: "which makes no canary Deployment"},
		"a rolling release": {strategy: rolling, change: func(*world) review { return toV2() }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var w *world
			if tt.strategy == nil {
				w = requested(t, &v1alpha1.ApprovalRules{}, next())
			} else {
				r := &v1alpha1.Release{}
				tt.strategy(r)
				w = newWorld(t)
				w.environment.Spec.Rules.Approval = &v1alpha1.ApprovalRules{}
				uid := "d1"
				if r.Spec.Strategy == v1alpha1.StrategyCreate {
					uid = ""
				} else {
					w.store(deployment("web", "d1", template("r.local/web:v1")))
				}
				w.admit(review{object: release("web-7", uid, next(), tt.strategy), user: user("ann")})
				w.approve("web-7", "ben")
			}
			response := w.validate(tt.change(w))
			if tt.refusal == "" {
				requireAllowed(t, response)
			} else {
				requireRefused(t, response, tt.refusal, "[approval]")
			}
		})
	}
}

// TestACanaryIsAdmittedFromItsRequestToItsEnd sends what a driver and the controllers of a cluster send,
// in their order, through both doors.
func TestACanaryIsAdmittedFromItsRequestToItsEnd(t *testing.T) {
	w := requested(t, &v1alpha1.ApprovalRules{}, next())
	w.environment.Spec.Rules.Images = &v1alpha1.ImageRules{Pin: v1alpha1.PinPods}
	w.environment.Spec.Rules.Signatures = &v1alpha1.SignatureRules{}
	v1 := template("r.local/web:v1")
	scaled := func(raw []byte, to string) []byte {
		return []byte(strings.Replace(string(raw), `"replicas":3`, `"replicas":`+to, 1))
	}
	stable, canary := deployment("web", "d1", v1), deployment("web-7", "c1", next(), pointsTo("web-7"))
	paused, arrived := scaled(stable, `3,"paused":true`), scaled(deployment("web", "d1", next(), pointsTo("web-7")), `3,"paused":true`)
	owned := ownedBy("apps/v1", "Deployment", "web-7", "c1")
	set := object("apps/v1", "ReplicaSet", "web-7-abc", "rs7", next(), owned)
	pin := podOf("r.local/web:v2@"+digestTwo, ownedBy("apps/v1", "ReplicaSet", "web-7-abc", "rs7"))
	ann := user("ann")
	for _, step := range []struct {
		name string
		review
	}{
		{"pausing the stable side", review{object: paused, old: stable, user: ann}},
		{"creating the canary without pods", review{object: scaled(canary, "0"), user: ann}},
		{"its ReplicaSet", review{object: set, user: controller("deployment-controller")}},
		{"scaling the canary", review{object: canary, old: scaled(canary, "0"), user: ann}},
		{"its Pod", review{object: pin, user: controller("replicaset-controller")}},
		{"the new template on the stable side", review{object: arrived, old: paused, user: ann}},
		{"the ReplicaSet that is orphaned and adopted", review{
			object: object("apps/v1", "ReplicaSet", "web-7-abc", "rs7", next(), ownedBy("apps/v1", "Deployment", "web", "d1")), old: set,
			user: controller("deployment-controller")}},
		{"resuming", review{object: deployment("web", "d1", next(), pointsTo("web-7")), old: arrived, user: ann}},
		{"the way back", review{object: stable, old: deployment("web", "d1", next(), pointsTo("web-7")), user: ann}},
		{"driving again", review{object: arrived, old: paused, user: ann}},
		{"resuming again", review{object: deployment("web", "d1", next()), old: arrived, user: ann}},
	} {
		t.Log(step.name)
		w.admit(step.review)
	}
	moved := podOf("r.local/web:v2@"+digestOne, ownedBy("apps/v1", "ReplicaSet", "web-7-abc", "rs7"))
	requireRefused(t, w.validate(review{object: moved, user: controller("replicaset-controller")}), "does not match the pod template of its owner")
}
