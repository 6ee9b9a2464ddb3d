package admission_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// completing is a world with defaults for everything that can have one.
func completing(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	probe := func(path string) *corev1.Probe {
		return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString("http")}}}
	}
	w.environment.Spec.Rules = v1alpha1.Rules{
		Images:      &v1alpha1.ImageRules{Pin: v1alpha1.PinPods},
		PodSecurity: &v1alpha1.PodSecurityRules{Level: "restricted", Version: "latest", Defaults: true},
		Resources: &v1alpha1.ResourceRules{
			Require:  []v1alpha1.ResourceField{"requests.cpu", "requests.memory", "limits.memory"},
			Defaults: &v1alpha1.ResourceSettings{Requests: quantities("cpu", "100m", "memory", "128Mi"), Limits: quantities("memory", "256Mi")},
		},
		Probes: &v1alpha1.ProbeRules{
			Require:  []v1alpha1.ProbeKind{v1alpha1.ProbeReadiness},
			Defaults: &v1alpha1.ProbeDefaults{Readiness: probe("/ready"), Liveness: probe("/live")},
		},
	}
	return w
}

// anyContainer leaves things out at random, and never sets what breaks a rule.
func anyContainer(random *rand.Rand, name string) string {
	parts := []string{fmt.Sprintf(`"name":%q,"image":"r.local/web:v%d"`, name, 1+random.IntN(2)), `"ports":[{"name":"http","containerPort":80}]`}
	for _, optional := range []string{
		`"resources":{"limits":{"memory":"64Mi"}}`, `"securityContext":{"runAsNonRoot":true}`, `"readinessProbe":{"exec":{"command":["true"]}}`,
		`"fieldOfTheFuture":7`, `"env":[{"name":"a","value":"b"}]`,
	} {
		if random.IntN(2) == 0 {
			parts = append(parts, optional)
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func TestAMutatedPodIsCompleteAndMutatedAgainTheSame(t *testing.T) {
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 1))
		var containers, inits []string
		for i := range 1 + random.IntN(3) {
			containers = append(containers, anyContainer(random, fmt.Sprintf("c%d", i)))
		}
		for i := range random.IntN(2) {
			inits = append(inits, anyContainer(random, fmt.Sprintf("i%d", i)))
		}
		original := pod(fmt.Sprintf(`{"containers":[%s],"initContainers":[%s]}`, strings.Join(containers, ","), strings.Join(inits, ",")))
		w := completing(t)
		response, patched := w.mutate(review{object: original, user: user("ann")})
		requireAllowed(t, response)
		if again, _ := w.mutate(review{object: patched, user: user("ann")}); again.Patch != nil {
			t.Fatalf("seed %d: mutated again, the patch is %s, want none", seed, again.Patch)
		}
		if validated := w.validate(review{object: patched, user: user("ann")}); !validated.Allowed {
			t.Fatalf("seed %d: the mutated Pod is refused: %s\n%s", seed, validated.Result.Message, patched)
		}
		var before, after map[string]any
		if json.Unmarshal(original, &before) != nil || json.Unmarshal(patched, &after) != nil {
			t.Fatalf("seed %d: unreadable", seed)
		}
		if lost := lostIn("", before, after); len(lost) > 0 {
			t.Fatalf("seed %d: lost or changed: %q", seed, lost)
		}
	}
}

// lostIn lists what stands in one tree and not in the other, but for images, which get digests.
func lostIn(path string, before, after any) []string {
	var lost []string
	switch b := before.(type) {
	case map[string]any:
		a, _ := after.(map[string]any)
		for key, value := range b {
			if key != "image" {
				lost = append(lost, lostIn(path+"/"+key, value, a[key])...)
			}
		}
	case []any:
		a, _ := after.([]any)
		if len(a) != len(b) {
			return []string{path}
		}
		for i, value := range b {
			lost = append(lost, lostIn(fmt.Sprintf("%s/%d", path, i), value, a[i])...)
		}
	default:
		if before != after {
			lost = append(lost, path)
		}
	}
	return lost
}

func TestWorkloadsAreNotCompletedButJudgedAsIfTheyWere(t *testing.T) {
	w := completing(t)
	web := deployment("web", "", `{"spec":{"containers":[{"name":"app","image":"r.local/web:v1","ports":[{"name":"http","containerPort":80}]}]}}`)
	response, _ := w.mutate(review{object: web, user: user("ann")})
	requireAllowed(t, response)
	if response.Patch != nil {
		t.Errorf("patch = %s, want none", response.Patch)
	}
	requireAllowed(t, w.validate(review{object: web, user: user("ann")}))
}

func TestOnlyANewPodIsCompleted(t *testing.T) {
	w := completing(t)
	old := running("r.local/web:v1@"+digestOne, "64Mi", "")
	response, _ := w.mutate(review{object: running("r.local/web:v2@"+digestTwo, "64Mi", ""), old: old, user: user("ann")})
	requireAllowed(t, response)
	if response.Patch != nil {
		t.Errorf("patch = %s, want none", response.Patch)
	}
}

func TestWorkloadsArePinnedWhereAskedUnlessTheirTemplateMustStay(t *testing.T) {
	v1, v2 := template("r.local/web:v1"), template("r.local/web:v2")
	pinned := template("r.local/web:v1@" + digestOne)
	labeled := strings.Replace(v1, `"app":"web"`, `"app":"web","pod-template-hash":"abc"`, 1)
	set := object("apps/v1", "ReplicaSet", "web-abc", "rs1", labeled, ownedBy("apps/v1", "Deployment", "web", "d1"))
	inFlight := func(w *world) {
		w.store(deployment("web", "d1", v1))
		w.admit(review{object: release("web-7", "d1", v2), user: user("ann")})
	}
	tests := map[string]struct {
		review review
		change func(w *world)
		want   string
	}{
		"a new workload":  {review: review{object: deployment("web", "", v1)}, want: `"/spec/template/spec/containers/0/image","value":"r.local/web:v1@` + digestOne},
		"a CronJob":       {review: review{object: object("batch/v1", "CronJob", "x", "", v1)}, want: `"/spec/jobTemplate/spec/template/spec/containers/0/image"`},
		"a declared kind": {review: review{object: rollout("r.local/web:v1")}, want: `"/spec/template/spec/containers/0/image"`},
		"a new template":  {review: review{object: deployment("web", "d1", v1), old: deployment("web", "d1", v2)}, want: digestOne},
		"the same manifest again, though the tag has moved": {
			review: review{object: deployment("web", "d1", v1), old: deployment("web", "d1", template("r.local/web:v1@"+digestTwo))},
			want:   `"value":"r.local/web:v1@` + digestTwo},
		"another tag than before": {
			review: review{object: deployment("web", "d1", v1), old: deployment("web", "d1", template("r.local/web:v2@"+digestTwo))}, want: digestOne},
		"one with digests": {review: review{object: deployment("web", "", pinned)}},
		"scaling":          {review: review{object: deployment("web", "d1", v1, annotation("a", "b")), old: deployment("web", "d1", v1)}},
		"a Pod":            {review: review{object: podOf("r.local/web:v1")}, want: `"/spec/containers/0/image"`},
		"a rollback to its own ReplicaSet": {
			review: review{object: deployment("web", "d1", v1), old: deployment("web", "d1", v2)}, change: func(w *world) { w.store(set) }},
		"another Deployment's ReplicaSet": {
			review: review{object: deployment("web", "d2", v1), old: deployment("web", "d2", v2)}, change: func(w *world) { w.store(set) }, want: digestOne},
		"what its sealed Release brings":         {review: review{object: deployment("web", "d1", v2, pointsTo("web-7")), old: deployment("web", "d1", v1)}, change: inFlight},
		"back to where its sealed Release began": {review: review{object: deployment("web", "d1", v1, pointsTo("web-7")), old: deployment("web", "d1", v2)}, change: inFlight},
		"what a forged Release claims": {review: review{object: deployment("web", "d1", v2, pointsTo("web-7")), old: deployment("web", "d1", v1)}, change: func(w *world) {
			w.store(release("web-7", "d1", v2))
		}, want: digestTwo},
		"a controller's ReplicaSet": {
			review: review{object: object("apps/v1", "ReplicaSet", "web-abc", "", labeled, ownedBy("apps/v1", "Deployment", "web", "d1")), user: controller("deployment-controller")},
			change: func(w *world) { w.store(deployment("web", "d1", v1)) }},
		"a person's ReplicaSet": {
			review: review{object: object("apps/v1", "ReplicaSet", "web-abc", "", labeled, ownedBy("apps/v1", "Deployment", "web", "d1"))},
			change: func(w *world) { w.store(deployment("web", "d1", v1)) }, want: digestOne},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.environment.Spec.Rules.Images = &v1alpha1.ImageRules{Pin: v1alpha1.PinWorkloads}
			w.environment.Spec.WorkloadKinds = rollouts()
			if tt.change != nil {
				tt.change(w)
			}
			if tt.review.user.Username == "" {
				tt.review.user = user("ann")
			}
			response, patched := w.mutate(tt.review)
			requireAllowed(t, response)
			if (response.Patch != nil) != (tt.want != "") || !strings.Contains(string(response.Patch), tt.want) {
				t.Errorf("patch = %s, want %q in it", response.Patch, tt.want)
			}
			if tt.want != "" {
				unpinned := w.validate(tt.review)
				requireRefused(t, unpinned, "must be named by its digest", "[pin]")
			}
			tt.review.object = patched
			requireAllowed(t, w.validate(tt.review))
			if again, _ := w.mutate(tt.review); again.Patch != nil {
				t.Errorf("mutated again, the patch is %s, want none", again.Patch)
			}
		})
	}
}
