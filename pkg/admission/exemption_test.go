package admission_test

import (
	stdcmp "cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// exemption makes an Exemption as a client sends it, for a day, with stamps that it has no right to.
func exemption(name, kind, workload string, rules ...string) []byte {
	return fmt.Appendf(nil, `{"apiVersion":"rune.runeframeos.com/v1alpha1","kind":"Exemption","metadata":{"name":%q,"namespace":"prod"},`+
		`"spec":{"rules":["%s"],"workload":{"kind":%q,"name":%q},"reason":"until the fix","expiresAt":"2026-11-24T09:00:00Z",`+
		`"createdBy":{"username":"zoe"},"environment":"elsewhere","seal":"v1:forged"}}`, name, strings.Join(rules, `","`), kind, workload)
}

// bounded is a world that asks for memory limits, which web does not have, and where eve may exempt.
func bounded(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.environment.Spec.Rules.Resources = &v1alpha1.ResourceRules{Require: []v1alpha1.ResourceField{"limits.memory"}}
	w.holders[v1alpha1.VerbExempt] = []string{"eve"}
	return w
}

func TestAnExemptionIsStampedWithWhatTheWebhookSees(t *testing.T) {
	w := bounded(t)
	r := review{object: exemption("tmp", "Deployment", "web", "resources"), user: user("eve")}
	response, patched := w.mutate(r)
	requireAllowed(t, response)
	var e v1alpha1.Exemption
	if err := json.Unmarshal(patched, &e); err != nil {
		t.Fatal(err)
	}
	got := []string{e.Spec.CreatedBy.Username, e.Spec.Environment}
	if diff := cmp.Diff([]string{"eve", environmentName}, got); diff != "" || len(e.Spec.Seal) != len("v1:")+64 {
		t.Errorf("stamps (-want +got):\n%s\nseal %q", diff, e.Spec.Seal)
	}
	if again, _ := w.mutate(review{object: patched, user: user("eve")}); again.Patch != nil {
		t.Errorf("asked again, the patch is %s, want none", again.Patch)
	}
	requireAllowed(t, w.validate(review{object: patched, user: user("eve")}))
	requireRefused(t, w.validate(r), "spec.seal: is not the seal", "spec.createdBy", "[exemption]")
	changed := strings.Replace(string(patched), "until the fix", "for ever", 1)
	requireRefused(t, w.validate(review{object: []byte(changed), old: patched, user: user("eve")}), "spec: is immutable")
	requireAllowed(t, w.validate(review{object: []byte(strings.Replace(string(patched), `"name":"tmp"`, `"name":"tmp","labels":{"a":"b"}`, 1)), old: patched, user: user("ann")}))
}

func TestWhatAnExemptionMayNotBe(t *testing.T) {
	tests := map[string]struct {
		object  string
		by      string
		change  func(w *world)
		refusal string
	}{
		"by someone without the right":       {by: "ann", refusal: `user "ann" may not lift rules here: RBAC must grant the verb "exempt" on environments.rune.runeframeos.com/production`},
		"without a name of its own":          {object: strings.Replace(string(exemption("", "Deployment", "web", "resources")), `"name":""`, `"generateName":"tmp-"`, 1), refusal: "not generateName"},
		"of a rule that there is not":        {object: string(exemption("tmp", "Deployment", "web", "everything")), refusal: `there is no rule "everything"`},
		"of a custom rule that there is not": {object: string(exemption("tmp", "Deployment", "web", "custom/none")), refusal: `has no custom rule "none"`},
		"of a kind that nobody judges":       {object: string(exemption("tmp", "deployment", "web", "resources")), refusal: `"deployment" is no kind that is judged`},
		"without a reason":                   {object: strings.Replace(string(exemption("tmp", "Deployment", "web", "resources")), "until the fix", "   ", 1), refusal: "spec.reason: must say why"},
		"of approval":                        {object: string(exemption("tmp", "Deployment", "web", "approval")), refusal: `rule "approval" can be lifted by nobody`},
		"of access":                          {object: string(exemption("tmp", "Deployment", "web", "access")), refusal: `rule "access" can be lifted by nobody`},
		"that ended before": {
			change: func(w *world) { w.clock.SetTime(w.clock.Now().Add(24 * time.Hour)) }, refusal: "2026-11-24T09:00:00Z is not in the future"},
		"longer than the environment allows": {change: func(w *world) {
			w.environment.Spec.Rules.Exemptions = &v1alpha1.ExemptionRules{MaxValidity: &metav1.Duration{Duration: time.Hour}}
		}, refusal: `allows Exemptions for 1h0m0s, until 2026-11-23T10:00:00Z at most`},
		"longer than thirty days": {
			object: strings.Replace(string(exemption("tmp", "Deployment", "web", "resources")), "2026-11-24", "2026-12-24", 1), refusal: "until 2026-12-23T09:00:00Z at most"},
		"in a namespace of no environment": {change: func(w *world) { w.environment.Spec.Namespaces = []string{"other"} }, refusal: `namespace "prod" is not part of environment`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := bounded(t)
			if tt.object == "" {
				tt.object = string(exemption("tmp", "Deployment", "web", "resources"))
			}
			if tt.by == "" {
				tt.by = "eve"
			}
			if tt.change != nil {
				tt.change(w)
			}
			r := review{object: []byte(tt.object), user: user(tt.by)}
			response, _ := w.mutate(r)
			requireRefused(t, response, tt.refusal, "[exemption]")
			requireRefused(t, w.validate(r), tt.refusal, "[exemption]")
		})
	}
}

func TestAnExemptionLiftsItsRulesForItsWorkloadOnly(t *testing.T) {
	app := template("r.local/web:v1")
	web := deployment("web", "d1", app)
	tests := map[string]struct {
		change  func(w *world)
		object  []byte
		user    string
		refused string
	}{
		"its workload":              {object: web},
		"another workload":          {object: deployment("api", "", app), refused: "[resources]"},
		"another kind of that name": {object: object("apps/v1", "StatefulSet", "web", "", app), refused: "[resources]"},
		"another rule": {object: web, refused: "[podSecurity]", change: func(w *world) {
			w.environment.Spec.Rules.PodSecurity = &v1alpha1.PodSecurityRules{Level: "restricted"}
		}},
		"after its end": {object: web, refused: "[resources]", change: func(w *world) { w.clock.SetTime(w.clock.Now().Add(24 * time.Hour)) }},
		"of another environment": {object: web, refused: "[resources]", change: func(w *world) {
			setSpec(w.t, w.objects[keyExemption], "staging", "environment")
		}},
		"with a seal of another key": {object: web, refused: "[resources]", change: func(w *world) { w.key = []byte(strings.Repeat("x", 32)) }},
		"tampered: the end":          {object: web, refused: "[resources]", change: tamper("2027-11-24T09:00:00Z", "expiresAt")},
		"tampered: the rules":        {object: web, refused: "[resources]", change: tamper([]any{"resources", "podSecurity"}, "rules")},
		"tampered: the workload":     {object: deployment("api", "", app), refused: "[resources]", change: tamper("api", "workload", "name")},
		"tampered: the images":       {object: web, refused: "[resources]", change: tamper([]any{digestOne}, "images")},
		"tampered: the creator":      {object: web, refused: "[resources]", change: tamper("zoe", "createdBy", "username")},
		"unsealed":                   {object: web, refused: "[resources]", change: tamper("", "seal")},
		"copied under another name": {object: web, refused: "[resources]", change: func(w *world) {
			w.objects[keyExemption].SetName("copy")
		}},
		"of another namespace, stored here": {object: web, refused: "[resources]", change: func(w *world) {
			w.objects[keyExemption].SetNamespace("other")
		}},
		"one that is being withdrawn": {object: web, refused: "[resources]", change: func(w *world) {
			now := metav1.NewTime(w.clock.Now())
			w.objects[keyExemption].SetDeletionTimestamp(&now)
		}},
		"a Pod that a person says is its child": {
			object: podOf("r.local/web:v1", ownedBy("apps/v1", "ReplicaSet", "web-abc", "rs1")), user: "ann", refused: "[resources]"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := bounded(t)
			w.store(web)
			w.store(object("apps/v1", "ReplicaSet", "web-abc", "rs1", app, ownedBy("apps/v1", "Deployment", "web", "d1")))
			w.admit(review{object: exemption("tmp", "Deployment", "web", "resources"), user: user("eve")})
			if tt.change != nil {
				tt.change(w)
			}
			response := w.validate(review{object: tt.object, user: user("ann")})
			if tt.refused != "" {
				requireRefused(t, response, tt.refused)
				return
			}
			requireAllowed(t, response)
			if got := response.AuditAnnotations[admission.AuditExemptions]; got != "tmp" {
				t.Errorf("exemptions in the audit annotation: %q, want tmp", got)
			}
		})
	}
}

const keyExemption = "Exemption.rune.runeframeos.com prod/tmp"

func tamper(value any, path ...string) func(w *world) {
	return func(w *world) { setSpec(w.t, w.objects[keyExemption], value, path...) }
}

func TestAnExemptionOfADeploymentReachesItsPodsByProof(t *testing.T) {
	app := template("r.local/web:v1")
	made := podOf("r.local/web:v1", ownedBy("apps/v1", "ReplicaSet", "web-abc", "rs1"))
	tests := map[string]struct {
		change  func(w *world)
		object  []byte
		by      string
		refused bool
	}{
		"a Pod of its ReplicaSet":     {object: made, by: "replicaset-controller"},
		"its ReplicaSet":              {object: object("apps/v1", "ReplicaSet", "web-def", "", app, ownedBy("apps/v1", "Deployment", "web", "d1")), by: "deployment-controller"},
		"a Pod by another controller": {object: made, by: "job-controller", refused: true},
		"a Pod that does not match its ReplicaSet": {
			object: podOf("r.local/web:v2", ownedBy("apps/v1", "ReplicaSet", "web-abc", "rs1")), by: "replicaset-controller", refused: true},
		"a Pod of a ReplicaSet that only claims the Deployment": {object: made, by: "replicaset-controller", refused: true, change: func(w *world) {
			w.store(object("apps/v1", "ReplicaSet", "web-abc", "rs1", app, ownedBy("apps/v1", "Deployment", "web", "d9")))
		}},
		"a Pod of a ReplicaSet with another template than the Deployment's": {object: made, by: "replicaset-controller", refused: true, change: func(w *world) {
			w.store(deployment("web", "d1", template("r.local/web:v2")))
		}},
		"a Pod of an orphan": {object: made, by: "replicaset-controller", refused: true, change: func(w *world) {
			w.store(object("apps/v1", "ReplicaSet", "web-abc", "rs1", app))
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := bounded(t)
			w.store(deployment("web", "d1", app))
			w.store(object("apps/v1", "ReplicaSet", "web-abc", "rs1", app, ownedBy("apps/v1", "Deployment", "web", "d1")))
			w.admit(review{object: exemption("tmp", "Deployment", "web", "resources"), user: user("eve")})
			if tt.change != nil {
				tt.change(w)
			}
			response := w.validate(review{object: tt.object, user: controller(tt.by)})
			if tt.refused {
				requireRefused(t, response, "[resources]")
			} else {
				requireAllowed(t, response)
			}
		})
	}
}

func TestAnExemptionBoundToImagesCountsForThoseAlone(t *testing.T) {
	bound := setMember(exemption("tmp", "Deployment", "web", "resources"), "images", `["`+digestOne+`"]`)
	tests := map[string]struct {
		image   string
		pin     v1alpha1.Pin
		refused bool
	}{
		"its digest":                  {image: "r.local/web@" + digestOne},
		"a tag that names its digest": {image: "r.local/web:v1"},
		"a tag that nothing pins":     {image: "r.local/web:v1", pin: v1alpha1.PinNever, refused: true},
		"another digest":              {image: "r.local/web@" + digestTwo, refused: true},
		"a tag that names another":    {image: "r.local/web:v2", refused: true},
		"a tag that names nothing":    {image: "r.local/web:none", refused: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := bounded(t)
			w.environment.Spec.Rules.Images = &v1alpha1.ImageRules{Pin: stdcmp.Or(tt.pin, v1alpha1.PinPods)}
			w.admit(review{object: bound, user: user("eve")})
			response := w.validate(review{object: deployment("web", "", template(tt.image)), user: user("ann")})
			if tt.refused {
				requireRefused(t, response, "[resources]")
			} else {
				requireAllowed(t, response)
			}
		})
	}
}

func TestAnExemptionThatCannotBeReadIsAbsentAndHidesNoOther(t *testing.T) {
	w := bounded(t)
	web := deployment("web", "", template("r.local/web:v1"))
	unreadable := w.store(exemption("bad", "Deployment", "web", "resources"))
	setSpec(t, unreadable, "never", "expiresAt")
	requireRefused(t, w.validate(review{object: web, user: user("ann")}), "must set resources.limits.memory")
	w.admit(review{object: exemption("tmp", "Deployment", "web", "resources"), user: user("eve")})
	requireAllowed(t, w.validate(review{object: web, user: user("ann")}))
}

func TestAnExemptionOfABuiltInKindIsNotForADeclaredOneOfThatName(t *testing.T) {
	w := bounded(t)
	w.environment.Spec.WorkloadKinds = append(rollouts(), v1alpha1.WorkloadKind{
		Group: "example.org", Kind: "StatefulSet", Resource: "statefulsets", TemplatePath: "spec.template",
	})
	w.admit(review{object: exemption("tmp", "StatefulSet", "web", "resources"), user: user("eve")})
	w.admit(review{object: exemption("own", "Rollout", "web", "resources"), user: user("eve")})
	app := template("r.local/web:v1")
	requireAllowed(t, w.validate(review{object: object("apps/v1", "StatefulSet", "web", "", app), user: user("ann")}))
	requireRefused(t, w.validate(review{object: object("example.org/v1", "StatefulSet", "web", "", app), user: user("ann")}), "[resources]")
	requireAllowed(t, w.validate(review{object: rollout("r.local/web:v1"), user: user("ann")}))
}

func TestExemptionsAreReadOnlyWhereSomethingIsViolated(t *testing.T) {
	w := bounded(t)
	w.down["objects"] = errors.New("connection refused")
	good := `{"spec":{"containers":[{"name":"app","image":"r.local/web:v1","resources":{"limits":{"memory":"1Gi"}}}]}}`
	requireAllowed(t, w.validate(review{object: deployment("web", "", good), user: user("ann")}))
	requireRefused(t, w.validate(review{object: deployment("web", "", template("r.local/web:v1")), user: user("ann")}),
		"must set resources.limits.memory", "whether an Exemption lifts any of this could not be found out")
}

func TestACanaryDeploymentIsExemptLikeItsWorkload(t *testing.T) {
	w := releaseInFlight(t, nil)
	w.environment.Spec.Rules.Resources = &v1alpha1.ResourceRules{Require: []v1alpha1.ResourceField{"limits.memory"}}
	w.holders[v1alpha1.VerbExempt] = []string{"eve"}
	w.admit(review{object: exemption("tmp", "Deployment", "web", "resources"), user: user("eve")})
	requireAllowed(t, w.validate(review{object: deployment("web-7", "", next(), pointsTo("web-7")), user: user("ann")}))
	requireRefused(t, w.validate(review{object: deployment("web-7", "", template("r.local/web:v3"), pointsTo("web-7")), user: user("ann")}), "[resources]")
	requireRefused(t, w.validate(review{object: deployment("web-8", "", next(), pointsTo("web-7")), user: user("ann")}), "[resources]")
}
