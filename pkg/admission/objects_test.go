package admission_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

func metaUID(n int) types.UID { return types.UID(fmt.Sprintf("uid-%d", n)) }

func rawExtension(raw []byte) runtime.RawExtension { return runtime.RawExtension{Raw: raw} }

// template is a pod template that runs one image.
func template(image string) string {
	return fmt.Sprintf(`{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"app","image":%q,"fieldOfTheFuture":7}]}}`, image)
}

// next is the pod template that Releases bring in worlds that ask for approval: by digest.
func next() string { return template("r.local/web:v2@" + digestTwo) }

// object makes a workload in JSON; annotations and owners may be empty.
func object(apiVersion, kind, name, uid, template string, more ...string) []byte {
	metadata := append([]string{fmt.Sprintf(`"name":%q,"namespace":"prod"`, name)}, more...)
	if uid != "" {
		metadata = append(metadata, fmt.Sprintf(`"uid":%q`, uid))
	}
	spec := fmt.Sprintf(`{"replicas":3,"template":%s}`, template)
	if kind == "CronJob" {
		spec = fmt.Sprintf(`{"jobTemplate":{"spec":{"template":%s}}}`, template)
	}
	return fmt.Appendf(nil, `{"apiVersion":%q,"kind":%q,"metadata":{%s},"spec":%s}`, apiVersion, kind, strings.Join(metadata, ","), spec)
}

func deployment(name, uid, template string, more ...string) []byte {
	return object("apps/v1", "Deployment", name, uid, template, more...)
}

// pod makes a Pod with a spec of its own.
func pod(spec string, more ...string) []byte {
	metadata := append([]string{`"name":"web-1","namespace":"prod"`}, more...)
	return fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Pod","metadata":{%s},"spec":%s}`, strings.Join(metadata, ","), spec)
}

func podOf(image string, more ...string) []byte {
	return pod(fmt.Sprintf(`{"containers":[{"name":"app","image":%q,"fieldOfTheFuture":7}]}`, image), more...)
}

func annotation(key, value string) string { return fmt.Sprintf(`"annotations":{%q:%q}`, key, value) }

func pointsTo(release string) string { return annotation(v1alpha1.AnnotationRelease, release) }

func ownedBy(apiVersion, kind, name, uid string) string {
	return fmt.Sprintf(`"ownerReferences":[{"apiVersion":%q,"kind":%q,"name":%q,"uid":%q,"controller":true}]`, apiVersion, kind, name, uid)
}

// release makes a Release as a client sends it, with stamps that it has no right to.
func release(name, uid, to string, change ...func(*v1alpha1.Release)) []byte {
	r := &v1alpha1.Release{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: v1alpha1.KindRelease},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "prod"},
		Spec: v1alpha1.ReleaseSpec{
			Action: v1alpha1.ActionCanary, Strategy: v1alpha1.StrategyCanary, Environment: "elsewhere",
			Workload:    v1alpha1.WorkloadReference{Kind: "Deployment", Name: "web", UID: types.UID(uid)},
			RequestedBy: v1alpha1.Identity{Username: "ben"}, Seal: "v1:forged",
		},
	}
	for _, c := range change {
		c(r)
	}
	raw, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return setMember(raw, "to", to)
}

// setMember sets a member of spec to raw JSON, so that fields unknown to Go types survive.
func setMember(raw []byte, member, value string) []byte {
	var tree map[string]any
	if err := json.Unmarshal(raw, &tree); err != nil {
		panic(err)
	}
	tree["spec"].(map[string]any)[member] = json.RawMessage(value)
	raw, err := json.Marshal(tree)
	if err != nil {
		panic(err)
	}
	return raw
}

// approval makes an Approval as a client sends it.
func approval(name, release, uid string) []byte {
	return fmt.Appendf(nil, `{"apiVersion":"rune.runeframeos.com/v1alpha1","kind":"Approval","metadata":{"name":%q,"namespace":"prod"},`+
		`"spec":{"release":{"name":%q,"uid":%q},"comment":"fine","approver":{"username":"zoe"},"templateHash":"v1:forged"}}`, name, release, uid)
}

// releaseInFlight is a world where the Deployment web runs v1, and ann requested v2 as Release web-7.
func releaseInFlight(t *testing.T, rules *v1alpha1.ApprovalRules) *world {
	t.Helper()
	w := newWorld(t)
	w.environment.Spec.Rules.Approval = rules
	w.store(deployment("web", "d1", template("r.local/web:v1")))
	w.admit(review{object: release("web-7", "d1", next()), user: user("ann")})
	return w
}

// approve adds the consent of a user to a Release that the cluster holds.
func (w *world) approve(release, by string) {
	w.t.Helper()
	live := w.objects[objectKey(v1alpha1.GroupVersion().WithKind(v1alpha1.KindRelease).GroupKind(), "prod", release)]
	w.admit(review{object: approval(release+"-"+by, release, string(live.GetUID())), user: user(by)})
}

// stampedIn returns an object as the mutating side leaves it in another environment, which covers the
// same namespace.
func (w *world) stampedIn(environment string, raw []byte, by authenticationv1.UserInfo) []byte {
	w.t.Helper()
	own := w.environment
	w.environment = own.DeepCopy()
	w.environment.Name = environment
	defer func() { w.environment = own }()
	response := w.judge.Mutate(w.t.Context(), environment, w.request(review{object: raw, user: by}))
	return apply(w.t, raw, response.Patch)
}

// toV2 is the update of web from v1 to v2 on behalf of Release web-7.
func toV2() review {
	return review{
		object: deployment("web", "d1", next(), pointsTo("web-7")),
		old:    deployment("web", "d1", template("r.local/web:v1")),
		user:   user("ann"),
	}
}

func mustJSON(t *testing.T, value json.Marshaler) []byte {
	t.Helper()
	raw, err := value.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func apply(t *testing.T, object, patch []byte) []byte {
	t.Helper()
	decoded, err := jsonpatch.DecodePatch(patch)
	if err != nil {
		t.Fatal(err)
	}
	patched, err := decoded.Apply(object)
	if err != nil {
		t.Fatal(err)
	}
	return patched
}
