package admission_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// backToV1 is the update of web from v2 to v1, away from Release web-7.
func backToV1() review {
	return review{
		object: deployment("web", "d1", template("r.local/web:v1")),
		old:    deployment("web", "d1", next(), pointsTo("web-7")),
		user:   user("ann"),
	}
}

func TestTheWayBackIsOpenWhileTheReleaseIsInFlight(t *testing.T) {
	after := func(d time.Duration) func(*world, *review) {
		return func(w *world, _ *review) { w.clock.SetTime(w.clock.Now().Add(d)) }
	}
	tests := map[string]struct {
		rules   v1alpha1.ApprovalRules
		change  func(w *world, r *review)
		refusal string
	}{
		"with the annotation on the old object":                   {change: func(*world, *review) {}},
		"at the deadline, when the driver begins to take it back": {change: after(30 * time.Minute)},
		"when it began on the last moment of its approval":        {change: after(24*time.Hour + 30*time.Minute)},
		"a moment before the grace ends":                          {change: after(25*time.Hour + 30*time.Minute - time.Second)},
		"although the approval expired meanwhile": {
			rules: v1alpha1.ApprovalRules{ValidFor: &metav1.Duration{Duration: time.Minute}}, change: after(time.Hour)},
		"a status that says the release ended is not read": {change: func(w *world, _ *review) {
			w.objects[keyRelease].Object["status"] = map[string]any{"phase": "Succeeded"}
		}},
		"with the annotation on the new object": {change: func(_ *world, r *review) {
			r.object = deployment("web", "d1", template("r.local/web:v1"), pointsTo("web-7"))
			r.old = deployment("web", "d1", next())
		}},
		"after the deadline and the grace": {
			change: after(25*time.Hour + 30*time.Minute), refusal: `the way back of Release "web-7" closed at 2026-11-24T12:30:00Z: go back with`},
		"to another template than before": {refusal: "needs an approved Release", change: func(_ *world, r *review) {
			r.object = deployment("web", "d1", template("r.local/bad:v1"))
		}},
		"from another template than the Release's": {refusal: "needs an approved Release", change: func(_ *world, r *review) {
			r.old = deployment("web", "d1", template("r.local/bad:v1"), pointsTo("web-7"))
		}},
		"of another Deployment": {refusal: "needs an approved Release", change: func(_ *world, r *review) {
			r.object = deployment("api", "d2", template("r.local/web:v1"))
			r.old = deployment("api", "d2", next(), pointsTo("web-7"))
		}},
		"with a Release whose seal is forged": {refusal: "needs an approved Release", change: func(w *world, _ *review) {
			setSpec(t, w.objects[keyRelease], "v1:0000", "seal")
		}},
		"with a deadline that was stretched after the seal": {refusal: "needs an approved Release", change: func(w *world, _ *review) {
			setSpec(t, w.objects[keyRelease], "9000h", "delivery", "deadline")
		}},
		"with no annotation on either object": {refusal: "needs an approved Release", change: func(_ *world, r *review) {
			r.old = deployment("web", "d1", next())
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := releaseInFlight(t, &tt.rules)
			// The way back counts from the approval, not from the request.
			w.clock.SetTime(w.clock.Now().Add(2 * time.Hour))
			w.approve("web-7", "ben")
			r := backToV1()
			tt.change(w, &r)
			response := w.validate(r)
			if tt.refusal == "" {
				requireAllowed(t, response)
			} else {
				requireRefused(t, response, tt.refusal, "[approval]")
			}
		})
	}
}

func TestAReleaseThatTooFewApprovedOpensNoWayBack(t *testing.T) {
	no := false
	tests := map[string]struct {
		rules   v1alpha1.ApprovalRules
		change  func(w *world)
		refused bool
	}{
		"nobody": {refused: true},
		"one of two": {rules: v1alpha1.ApprovalRules{MinApprovals: 2}, refused: true,
			change: func(w *world) { w.approve("web-7", "ben") }},
		"one person twice": {rules: v1alpha1.ApprovalRules{MinApprovals: 2}, refused: true, change: func(w *world) {
			w.approve("web-7", "ben")
			w.admit(review{object: approval("again", "web-7", string(w.objects[keyRelease].GetUID())), user: user("ben")})
		}},
		"an approval whose seal is forged": {refused: true, change: func(w *world) {
			w.approve("web-7", "ben")
			setSpec(t, w.objects[keyApproval], "v1:0000", "seal")
		}},
		"the requester, whose own approval counted when it was given": {refused: true, change: func(w *world) {
			w.environment.Spec.Rules.Approval.SeparateRequester = &no
			w.approve("web-7", "ann")
			w.environment.Spec.Rules.Approval.SeparateRequester = nil
		}},
		"two of two": {rules: v1alpha1.ApprovalRules{MinApprovals: 2}, change: func(w *world) {
			w.approve("web-7", "ben")
			w.approve("web-7", "cem")
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := releaseInFlight(t, &tt.rules)
			w.holders[v1alpha1.VerbApprove] = append(w.holders[v1alpha1.VerbApprove], "ann")
			if tt.change != nil {
				tt.change(w)
			}
			response := w.validate(backToV1())
			if tt.refused {
				requireRefused(t, response, `Release "web-7" opens no way back, because too few people approved it`, "[approval]")
			} else {
				requireAllowed(t, response)
			}
		})
	}
}

func TestTheRequesterCannotKeepTheWayBackOpenForEver(t *testing.T) {
	w := newWorld(t)
	w.environment.Spec.Rules.Approval = &v1alpha1.ApprovalRules{}
	w.store(deployment("web", "d1", template("r.local/web:v1")))
	stretched := func(r *v1alpha1.Release) {
		r.Spec.Delivery.Deadline = &metav1.Duration{Duration: 9000 * time.Hour}
	}
	w.admit(review{object: release("web-7", "d1", next(), stretched), user: user("ann")})
	w.approve("web-7", "ben")
	w.clock.SetTime(w.clock.Now().Add(49*time.Hour - time.Second))
	requireAllowed(t, w.validate(backToV1()))
	w.clock.SetTime(w.clock.Now().Add(time.Second))
	requireRefused(t, w.validate(backToV1()), `the way back of Release "web-7" closed at`, "[approval]")
}
