package admission_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/templatehash"
)

func readRelease(t *testing.T, raw []byte) (*v1alpha1.Release, json.RawMessage) {
	t.Helper()
	var r v1alpha1.Release
	var templates struct {
		Spec struct {
			From json.RawMessage `json:"from"`
		} `json:"spec"`
	}
	if err := errors.Join(json.Unmarshal(raw, &r), json.Unmarshal(raw, &templates)); err != nil {
		t.Fatal(err)
	}
	return &r, templates.Spec.From
}

func TestAReleaseIsStampedWithWhatTheWebhookSees(t *testing.T) {
	w := newWorld(t)
	w.store(deployment("web", "d1", template("r.local/web:v1")))
	ann := user("ann")
	ann.UID = "a-1"
	forged := setMember(release("web-7", "d1", template("r.local/web:v2")), "from", template("r.local/bad:v1"))
	response, patched := w.mutate(review{object: forged, user: ann})
	requireAllowed(t, response)
	r, from := readRelease(t, patched)
	if diff := cmp.Diff(v1alpha1.Identity{Username: "ann", UID: "a-1"}, r.Spec.RequestedBy); diff != "" {
		t.Errorf("requestedBy (-want +got):\n%s", diff)
	}
	if r.Spec.Environment != environmentName {
		t.Errorf("environment = %q, want %q", r.Spec.Environment, environmentName)
	}
	got, err := templatehash.OfJSON(from)
	if err != nil {
		t.Fatal(err)
	}
	want, err := templatehash.OfJSON([]byte(template("r.local/web:v1")))
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("spec.from is %s, want the live template with all its fields", from)
	}
	again, _ := w.mutate(review{object: patched, user: ann})
	if again.Patch != nil {
		t.Errorf("stamped twice, the patch is %s, want none", again.Patch)
	}
	requireAllowed(t, w.validate(review{object: patched, user: ann}))
}

func TestAReleaseIsRefusedThatCannotBeStamped(t *testing.T) {
	tests := map[string]struct {
		object  []byte
		noLive  bool
		refusal string
	}{
		"generateName": {
			object:  release("", "d1", template("r.local/web:v2"), func(r *v1alpha1.Release) { r.GenerateName = "web-" }),
			refusal: "needs a name of its own, not generateName"},
		"a UID of a Deployment that was replaced": {
			object: release("web-7", "d0", template("r.local/web:v2")), refusal: `has UID "d1", not "d0"`},
		"no UID although the Deployment exists": {
			object: release("web-7", "", template("r.local/web:v2")), refusal: `has UID "d1", not ""`},
		"strategy Create although the Deployment exists": {
			object:  release("web-7", "", template("r.local/web:v2"), func(r *v1alpha1.Release) { r.Spec.Strategy = v1alpha1.StrategyCreate }),
			refusal: `Deployment "web" exists already`},
		"a Deployment that does not exist": {
			object: release("web-7", "", template("r.local/web:v2")), noLive: true, refusal: `Deployment "web" does not exist`},
		"strategy Create with a UID": {
			object: release("web-7", "d1", template("r.local/web:v2"), func(r *v1alpha1.Release) { r.Spec.Strategy = v1alpha1.StrategyCreate }),
			noLive: true, refusal: `Deployment "web" does not exist`},
		"a workload that is no Deployment": {
			object:  release("web-7", "d1", template("r.local/web:v2"), func(r *v1alpha1.Release) { r.Spec.Workload.Kind = "Job" }),
			refusal: `"Job" cannot be released`},
		"no template": {object: release("web-7", "d1", `null`), refusal: "must be a pod template"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if !tt.noLive {
				w.store(deployment("web", "d1", template("r.local/web:v1")))
			}
			response, _ := w.mutate(review{object: tt.object, user: user("ann")})
			requireRefused(t, response, tt.refusal, "[release]")
			requireRefused(t, w.validate(review{object: tt.object, user: user("ann")}), tt.refusal, "[release]")
		})
	}
}

func TestAReleaseThatCreatesItsWorkloadHasNoFrom(t *testing.T) {
	w := newWorld(t)
	r := release("web-7", "", template("r.local/web:v2"), func(r *v1alpha1.Release) { r.Spec.Strategy = v1alpha1.StrategyCreate })
	live := w.admit(review{object: setMember(r, "from", template("r.local/bad:v1")), user: user("ann")})
	if _, found := live.Object["spec"].(map[string]any)["from"]; found {
		t.Error("spec.from of a client stayed although nothing runs")
	}
}

func TestAReleasePastTheMutatingSideIsRefused(t *testing.T) {
	tests := map[string]struct {
		change  func(w *world, stamped []byte) ([]byte, string)
		refusal string
	}{
		"not stamped at all": {
			change: func(*world, []byte) ([]byte, string) {
				return release("web-7", "d1", template("r.local/web:v2")), "ann"
			}, refusal: "spec.seal: is not the seal"},
		"stamped for another user": {
			change: func(_ *world, stamped []byte) ([]byte, string) { return stamped, "zoe" }, refusal: `spec.requestedBy: must be the requesting user "zoe"`},
		"stamped with a template that the workload has no more": {
			change: func(w *world, stamped []byte) ([]byte, string) {
				w.store(deployment("web", "d1", template("r.local/bad:v1")))
				return stamped, "ann"
			}, refusal: "spec.from: is not the pod template that the workload has now"},
		"stamped in another environment": {
			change: func(w *world, _ []byte) ([]byte, string) {
				return w.stampedIn("staging", release("web-7", "d1", template("r.local/web:v2")), user("ann")), "ann"
			}, refusal: `spec.environment: must be "production"`},
		"stamped with another target": {
			change: func(_ *world, stamped []byte) ([]byte, string) {
				return setMember(stamped, "to", template("r.local/bad:v1")), "ann"
			}, refusal: "spec.seal: is not the seal"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.store(deployment("web", "d1", template("r.local/web:v1")))
			response, stamped := w.mutate(review{object: release("web-7", "d1", template("r.local/web:v2")), user: user("ann")})
			requireAllowed(t, response)
			changed, by := tt.change(w, stamped)
			requireRefused(t, w.validate(review{object: changed, user: user(by)}), tt.refusal)
		})
	}
}

func TestSpecsOfReleasesAndApprovalsAreImmutable(t *testing.T) {
	w := releaseInFlight(t, &v1alpha1.ApprovalRules{})
	w.approve("web-7", "ben")
	for _, key := range []string{keyRelease, keyApproval} {
		old := mustJSON(t, w.objects[key])
		changed := w.objects[key].DeepCopy()
		setSpec(t, changed, "other", "reason")
		requireRefused(t, w.validate(review{object: mustJSON(t, changed), old: old, user: user("ann")}), "spec: is immutable")
		labeled := w.objects[key].DeepCopy()
		labeled.SetLabels(map[string]string{"a": "b"})
		requireAllowed(t, w.validate(review{object: mustJSON(t, labeled), old: old, user: user("ann")}))
		response, _ := w.mutate(review{object: mustJSON(t, changed), old: old, user: user("ann")})
		if response.Patch != nil {
			t.Errorf("an update was stamped: %s", response.Patch)
		}
	}
}

func TestAnApprovalIsStampedWithWhatTheWebhookSees(t *testing.T) {
	w := releaseInFlight(t, &v1alpha1.ApprovalRules{})
	r := review{object: approval("web-7-ben", "web-7", string(w.objects[keyRelease].GetUID())), user: user("ben")}
	response, patched := w.mutate(r)
	requireAllowed(t, response)
	var a v1alpha1.Approval
	if err := json.Unmarshal(patched, &a); err != nil {
		t.Fatal(err)
	}
	hash, err := templatehash.OfJSON([]byte(next()))
	if err != nil {
		t.Fatal(err)
	}
	at := metav1.NewTime(w.clock.Now())
	want := v1alpha1.ApprovalSpec{
		Release: a.Spec.Release, Comment: "fine", Approver: v1alpha1.Identity{Username: "ben"},
		ApprovedAt: &at, TemplateHash: hash, Seal: a.Spec.Seal,
	}
	if diff := cmp.Diff(want, a.Spec); diff != "" || len(a.Spec.Seal) != len("v1:")+64 {
		t.Errorf("stamped spec (-want +got):\n%s", diff)
	}
	w.clock.SetTime(w.clock.Now().Add(time.Second))
	if again, _ := w.mutate(review{object: patched, user: user("ben")}); again.Patch != nil {
		t.Errorf("asked again a second later, the patch is %s, want none", again.Patch)
	}
	requireAllowed(t, w.validate(review{object: patched, user: user("ben")}))
	requireRefused(t, w.validate(review{object: patched, user: user("cem")}), `must be the requesting user "cem"`)
	requireRefused(t, w.validate(r), "spec.seal: is not the seal", "spec.templateHash")
}

func TestWhoMayNotApprove(t *testing.T) {
	const deployer = "system:serviceaccount:ci:deployer"
	no := false
	tests := map[string]struct {
		rules   *v1alpha1.ApprovalRules
		by      string
		change  func(w *world, r *review)
		refusal string
	}{
		"the requester": {
			rules: &v1alpha1.ApprovalRules{}, by: "ann", refusal: `user "ann" requested Release "web-7": someone else must approve it`},
		"the requester where the environment allows it": {rules: &v1alpha1.ApprovalRules{SeparateRequester: &no}, by: "ann"},
		"another user": {rules: &v1alpha1.ApprovalRules{}, by: "ben"},
		"a user without the right": {
			rules: &v1alpha1.ApprovalRules{}, by: "zoe", refusal: `RBAC must grant the verb "approve" on environments.rune.runeframeos.com/production`},
		"a service account": {
			rules: &v1alpha1.ApprovalRules{ServiceAccounts: []string{"ci/other"}}, by: deployer, refusal: `service account "ci/deployer" is not listed`},
		"a service account that is listed":  {rules: &v1alpha1.ApprovalRules{ServiceAccounts: []string{"ci/deployer"}}, by: deployer},
		"anyone where no approval is asked": {by: "ben", refusal: "asks for no approval"},
		"with the UID of another Release": {
			rules: &v1alpha1.ApprovalRules{}, by: "ben", refusal: "it is another one of the same name",
			change: func(_ *world, r *review) { r.object = approval("web-7-ben", "web-7", "other") }},
		"a Release that does not exist": {
			rules: &v1alpha1.ApprovalRules{}, by: "ben", refusal: `Release "web-9" does not exist`,
			change: func(_ *world, r *review) { r.object = approval("web-9-ben", "web-9", "other") }},
		"a Release without a valid seal": {
			rules: &v1alpha1.ApprovalRules{}, by: "ben", refusal: "bears no valid seal",
			change: func(w *world, _ *review) { setSpec(t, w.objects[keyRelease], "v1:0000", "seal") }},
		"without a name of its own": {
			rules: &v1alpha1.ApprovalRules{}, by: "ben", refusal: "not generateName",
			change: func(w *world, r *review) { r.object = approval("", "web-7", string(w.objects[keyRelease].GetUID())) }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := releaseInFlight(t, tt.rules)
			w.holders[v1alpha1.VerbApprove] = []string{"ann", "ben", deployer}
			r := review{object: approval("web-7-x", "web-7", string(w.objects[keyRelease].GetUID())), user: user(tt.by)}
			if tt.change != nil {
				tt.change(w, &r)
			}
			response, _ := w.mutate(r)
			if tt.refusal == "" {
				requireAllowed(t, response)
				return
			}
			requireRefused(t, response, tt.refusal, "[approval]")
			requireRefused(t, w.validate(r), tt.refusal, "[approval]")
		})
	}
}

func TestRefusedApprovalsStayRefusedInWarnMode(t *testing.T) {
	w := releaseInFlight(t, &v1alpha1.ApprovalRules{})
	w.environment.Spec.Enforcement = v1alpha1.EnforcementWarn
	response, _ := w.mutate(review{object: approval("web-7-ann", "web-7", string(w.objects[keyRelease].GetUID())), user: user("ann")})
	requireRefused(t, response, "someone else must approve it")
}

func TestOtherOperationsAreNotAsked(t *testing.T) {
	w := newWorld(t)
	request := w.request(review{object: deployment("web", "d1", template("r.local/bad:v1")), user: user("ann")})
	request.Operation = admissionv1.Delete
	requireAllowed(t, w.judge.Validate(t.Context(), environmentName, request))
	requireAllowed(t, w.judge.Mutate(t.Context(), environmentName, request))
	if calls := w.calls.Load(); calls != 0 {
		t.Errorf("a deletion cost %d calls", calls)
	}
}

func TestNothingIsSealedForANamespaceThatTheEnvironmentDoesNotCover(t *testing.T) {
	tests := map[string]struct {
		object []byte
	}{
		"a Release":   {object: release("web-8", "d1", next())},
		"an Approval": {object: approval("web-7-ben", "web-7", "u-web-7")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := releaseInFlight(t, &v1alpha1.ApprovalRules{})
			request := w.request(review{object: tt.object, user: user("ben")})
			request.Namespace = "elsewhere"
			response := w.judge.Mutate(t.Context(), environmentName, request)
			requireRefused(t, response, `namespace "elsewhere" is not part of environment`)
			if response.Patch != nil {
				t.Errorf("the refusal carries a patch: %s", response.Patch)
			}
		})
	}
}
