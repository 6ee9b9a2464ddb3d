package admission_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files")

// strict are rules of every kind.
func strict() v1alpha1.Rules {
	return v1alpha1.Rules{
		Images: &v1alpha1.ImageRules{Pin: v1alpha1.PinPods}, Signatures: &v1alpha1.SignatureRules{},
		PodSecurity: &v1alpha1.PodSecurityRules{Level: "restricted", Version: "latest"},
		Resources:   &v1alpha1.ResourceRules{Require: []v1alpha1.ResourceField{"limits.memory", "requests.cpu", "requests.memory"}},
		Approval:    &v1alpha1.ApprovalRules{},
	}
}

func signaturesOnly(w *world) { w.environment.Spec.Rules.Signatures = &v1alpha1.SignatureRules{} }

func TestADenialListsAllViolationsAtOnce(t *testing.T) {
	w := newWorld(t)
	w.environment.Spec.Rules = strict()
	spec := `{"spec":{"containers":[{"name":"app","image":"r.local/bad:v1"},{"name":"side","image":"elsewhere.org/tool:v1","securityContext":{"privileged":true}}],` +
		`"initContainers":[{"name":"setup","image":"r.local/none:v1","resources":{"limits":{"cpu":"1","memory":"64Mi"}}}]}}`
	response := w.validate(review{object: deployment("web", "", spec), user: user("ann")})
	requireRefused(t, response)
	path := filepath.Join("testdata", "denial.golden")
	if *update {
		if err := os.WriteFile(path, []byte(response.Result.Message+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), response.Result.Message+"\n"); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	if response.Result.Code != 403 || response.AuditAnnotations[admission.AuditVerdict] != "denied" ||
		response.AuditAnnotations[admission.AuditRules] != "approval,podSecurity,resources,signatures" {
		t.Errorf("code %d, annotations %v", response.Result.Code, response.AuditAnnotations)
	}
	if causes, lines := len(response.Result.Details.Causes), strings.Count(response.Result.Message, "\n"); causes != lines {
		t.Errorf("%d causes for %d lines of violations", causes, lines)
	}
}

func TestImagesOfEveryPlaceMustBeSigned(t *testing.T) {
	good, bad := "r.local/web:v1@"+digestOne, "r.local/bad:v1@"+digestBad
	place := map[string]string{
		"container":           `{"containers":[{"name":"app","image":%q}]}`,
		"init container":      `{"containers":[],"initContainers":[{"name":"app","image":%q}]}`,
		"ephemeral container": `{"containers":[],"ephemeralContainers":[{"name":"app","image":%q}]}`,
		"image volume":        `{"containers":[],"volumes":[{"name":"data","image":{"reference":%q}}]}`,
	}
	for name, spec := range place {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			signaturesOnly(w)
			requireAllowed(t, w.validate(review{object: pod(fmt.Sprintf(spec, good)), user: user("ann")}))
			requireRefused(t, w.validate(review{object: pod(fmt.Sprintf(spec, bad)), user: user("ann")}),
				`does not satisfy ImagePolicy "web": it has no signatures  [signatures]`)
		})
	}
}

func TestWhatIsWrongWithAnImageIsToldApart(t *testing.T) {
	unreachable := errors.New(`registry "r.local" cannot be reached: connection refused`)
	tests := map[string]struct {
		image  string
		change func(w *world)
		want   string
	}{
		"unsigned":        {image: "r.local/bad:v1", want: "does not satisfy ImagePolicy"},
		"missing":         {image: "r.local/none:v1", want: "does not exist: registry \"r.local\" answered"},
		"registry down":   {image: "r.local/web:v1", change: func(w *world) { w.down["images"] = unreachable }, want: "could not be checked: registry \"r.local\" cannot be reached: connection refused"},
		"down, by digest": {image: "r.local/web@" + digestOne, change: func(w *world) { w.down["images"] = unreachable }, want: "could not be checked: registry \"r.local\" cannot be reached"},
		"no ImagePolicy":  {image: "elsewhere.org/web:v1", want: "is covered by no ImagePolicy"},
		"a policy of another environment": {image: "r.local/web:v1", change: func(w *world) {
			w.policies[0].Spec.Environments = []string{"staging"}
		}, want: "is covered by no ImagePolicy"},
		"a policy per image, one not satisfied": {image: "r.local/web:v1", change: func(w *world) {
			w.policies = append(w.policies, w.policies[0].DeepCopy())
			w.policies[1].Name, w.policies[1].Spec.Images = "bad", []string{"r.local/*"}
			w.signed = map[string]bool{}
		}, want: `ImagePolicy "bad"`},
		"an unreadable reference":   {image: "r.local/Web", want: "is not a repository"},
		"a host like a trusted one": {image: "r.local.evil.org/web:v1", want: "is covered by no ImagePolicy"},
		"an upper-case host":        {image: "R.LOCAL/bad:v1", want: "does not satisfy ImagePolicy"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			signaturesOnly(w)
			if tt.change != nil {
				tt.change(w)
			}
			requireRefused(t, w.validate(review{object: deployment("web", "", template(tt.image)), user: user("ann")}), tt.want, "[signatures]")
		})
	}
}

func TestUpdatesThatChangeNothingJudgedCostNothing(t *testing.T) {
	plain := template("r.local/bad:v1")
	restarted := strings.Replace(plain, `"labels"`, `"annotations":{"kubectl.kubernetes.io/restartedAt":"now"},"labels"`, 1)
	tests := map[string]review{
		"an annotation of a Deployment": {object: deployment("web", "d1", plain, annotation("a", "b")), old: deployment("web", "d1", plain)},
		"scaling":                       {object: []byte(strings.Replace(string(deployment("web", "d1", plain)), `"replicas":3`, `"replicas":0`, 1)), old: deployment("web", "d1", plain)},
		"a restart":                     {object: deployment("web", "d1", restarted), old: deployment("web", "d1", plain)},
		"a pause":                       {object: []byte(strings.Replace(string(deployment("web", "d1", plain)), `"replicas":3`, `"replicas":3,"paused":true`, 1)), old: deployment("web", "d1", plain)},
		"a finalizer of a Pod":          {object: podOf("r.local/bad:v1", `"finalizers":["a/b"]`), old: podOf("r.local/bad:v1")},
		"an adopted ReplicaSet": {
			object: object("apps/v1", "ReplicaSet", "web-abc", "rs1", plain, ownedBy("apps/v1", "Deployment", "web", "d1")), old: object("apps/v1", "ReplicaSet", "web-abc", "rs1", plain),
			user: user("system:serviceaccount:kube-system:deployment-controller", "system:serviceaccounts:kube-system")},
	}
	for name, r := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.environment.Spec.Rules = strict()
			for _, port := range []string{"policies", "imagePolicies", "images", "objects", "access", "keys"} {
				w.down[port] = errors.New("down")
			}
			if r.user.Username == "" {
				r.user = user("ann")
			}
			requireAllowed(t, w.validate(r))
			response, _ := w.mutate(r)
			requireAllowed(t, response)
			if calls := w.calls.Load(); calls != 0 || response.Patch != nil {
				t.Errorf("%d calls and patch %q, want none", calls, response.Patch)
			}
		})
	}
}

func TestAnUpdateThatChangesTheImageIsJudgedWhateverElseItDoes(t *testing.T) {
	tests := map[string]struct{ object, old []byte }{
		"a scale-down": {
			object: []byte(strings.Replace(string(deployment("web", "d1", template("r.local/bad:v1"))), `"replicas":3`, `"replicas":0`, 1)),
			old:    deployment("web", "d1", template("r.local/web:v1"))},
		"an object that is being deleted": {
			object: deployment("web", "d1", template("r.local/bad:v1"), `"deletionTimestamp":"2026-11-23T09:00:00Z"`),
			old:    deployment("web", "d1", template("r.local/web:v1"))},
		"an annotation that claims a verdict": {
			object: deployment("web", "d1", template("r.local/bad:v1"), annotation("rune.runeframeos.com/verified", "true")),
			old:    deployment("web", "d1", template("r.local/web:v1"))},
		"an image of a running Pod": {object: podOf("r.local/bad:v1@" + digestBad), old: podOf("r.local/web:v1@" + digestOne)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			signaturesOnly(w)
			requireRefused(t, w.validate(review{object: tt.object, old: tt.old, user: user("ann")}), "does not satisfy ImagePolicy")
		})
	}
}

func TestAnUpdateOfAPodIsJudgedByWhatItChanges(t *testing.T) {
	running := `"containers":[{"name":"app","image":"r.local/old:v1","resources":{"limits":{"cpu":"%s","memory":"%s"}}}]`
	old := pod("{" + fmt.Sprintf(running, "1", "64Mi") + "}")
	debug := func(image string) []byte {
		return pod("{" + fmt.Sprintf(running, "1", "64Mi") + fmt.Sprintf(`,"ephemeralContainers":[{"name":"debug","image":%q}]}`, image))
	}
	tests := map[string]struct {
		object      []byte
		subresource string
		approval    bool
		refusal     string
	}{
		"an unsigned debug container":                                    {object: debug("r.local/bad:v1@" + digestBad), subresource: "ephemeralcontainers", refusal: "spec.ephemeralContainers[0].image"},
		"a signed debug container beside an image that was never judged": {object: debug("r.local/web:v1@" + digestOne), subresource: "ephemeralcontainers"},
		"a debug container where approval is asked":                      {object: debug("r.local/web:v1@" + digestOne), subresource: "ephemeralcontainers", approval: true, refusal: "[approval]"},
		"a resize":                         {object: pod("{" + fmt.Sprintf(running, "1", "128Mi") + "}"), subresource: "resize"},
		"a resize where approval is asked": {object: pod("{" + fmt.Sprintf(running, "1", "128Mi") + "}"), subresource: "resize", approval: true},
		"a resize that removes the bound":  {object: pod("{" + fmt.Sprintf(running, "1", "0") + "}"), subresource: "resize", refusal: "must set resources.limits.memory"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.environment.Spec.Rules = v1alpha1.Rules{Signatures: &v1alpha1.SignatureRules{}, Resources: strict().Resources}
			if tt.approval {
				w.environment.Spec.Rules.Approval = &v1alpha1.ApprovalRules{}
			}
			response := w.validate(review{object: tt.object, old: old, user: user("ann"), subresource: tt.subresource})
			if tt.refusal == "" {
				requireAllowed(t, response)
				return
			}
			requireRefused(t, response, tt.refusal)
			if strings.Contains(response.Result.Message, "old:v1") {
				t.Errorf("the image that runs already was judged:\n%s", response.Result.Message)
			}
		})
	}
}

func TestMirrorPodsPass(t *testing.T) {
	w := newWorld(t)
	w.environment.Spec.Rules = strict()
	mirror := podOf("r.local/bad:v1", annotation("kubernetes.io/config.mirror", "hash"))
	requireAllowed(t, w.validate(review{object: mirror, user: user("system:node:n1", "system:nodes")}))
	requireRefused(t, w.validate(review{object: mirror, user: user("ann")}), "[signatures]")
}

func TestWithoutAnEnvironmentNothingBlocks(t *testing.T) {
	w := newWorld(t)
	w.environment = nil
	requireAllowed(t, w.validate(review{object: podOf("r.local/bad:v1"), user: user("ann")}))
	response, _ := w.mutate(review{object: podOf("r.local/bad:v1"), user: user("ann")})
	requireAllowed(t, response)
}

func TestUncoveredKindsAndSubresourcesAreNotJudged(t *testing.T) {
	w := newWorld(t)
	w.environment.Spec.Rules = strict()
	config := []byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x","namespace":"prod"}}`)
	for _, r := range []review{{object: config}, {object: podOf("r.local/bad:v1"), subresource: "status"}} {
		response := w.validate(r)
		requireAllowed(t, response)
		if got := response.AuditAnnotations[admission.AuditVerdict]; got != "unjudged" {
			t.Errorf("verdict = %q, want unjudged", got)
		}
	}
}
