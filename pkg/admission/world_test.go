package admission_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	testclock "k8s.io/utils/clock/testing"

	"github.com/runeframeos/kubectl-rune/pkg/admission"
	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy/image"
	"github.com/runeframeos/kubectl-rune/pkg/policy/proof"
)

// Digests of the images that the fake registry holds.
var (
	digestOne = "sha256:" + strings.Repeat("1", 64)
	digestTwo = "sha256:" + strings.Repeat("2", 64)
	digestBad = "sha256:" + strings.Repeat("b", 64)
)

const environmentName = "production"

// world is everything around a Judge, in memory. A test changes what it is about.
type world struct {
	t           *testing.T
	environment *v1alpha1.Environment
	policies    []*v1alpha1.ImagePolicy
	// digests by reference with a tag, and the digests that are signed.
	digests map[string]string
	signed  map[string]bool
	objects map[string]*unstructured.Unstructured
	// labels of namespaces, by name.
	labels map[string]map[string]string
	// owner of all namespaces, where that is another environment.
	owner string
	// holders of RBAC verbs on the environment.
	holders map[string][]string
	key     []byte
	// down are the ports that fail.
	down  map[string]error
	clock *testclock.FakePassiveClock
	// stale is why the registry's earlier answers are used.
	stale string
	calls atomic.Int64
	judge *admission.Judge

	mu       sync.Mutex
	access   image.Access
	verified []string
	denials  []admission.Denial
	uids     int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t,
		environment: &v1alpha1.Environment{
			ObjectMeta: metav1.ObjectMeta{Name: environmentName},
			Spec:       v1alpha1.EnvironmentSpec{Namespaces: []string{"prod"}},
		},
		policies: []*v1alpha1.ImagePolicy{{
			ObjectMeta: metav1.ObjectMeta{Name: "web"},
			Spec: v1alpha1.ImagePolicySpec{
				Images: []string{"r.local/**"}, Environments: []string{environmentName},
				Authorities: []v1alpha1.Authority{{Name: "release"}},
			},
		}},
		digests: map[string]string{"r.local/web:v1": digestOne, "r.local/web:v2": digestTwo, "r.local/bad:v1": digestBad},
		signed:  map[string]bool{digestOne: true, digestTwo: true},
		objects: map[string]*unstructured.Unstructured{}, holders: map[string][]string{v1alpha1.VerbApprove: {"ben", "cem"}},
		key: []byte(strings.Repeat("k", 32)), down: map[string]error{},
		clock: testclock.NewFakePassiveClock(time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)),
	}
	var err error
	w.judge, err = admission.New(admission.Config{
		Policies: w, Images: w, Objects: w, Access: w, Keys: w, Recorder: w, Clock: w.clock, Log: logr.Discard(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) call(port string) error {
	w.calls.Add(1)
	return w.down[port]
}

func (w *world) Environment(_ context.Context, name string) (*v1alpha1.Environment, error) {
	if err := w.call("policies"); err != nil {
		return nil, err
	}
	if w.environment == nil || name != w.environment.Name {
		return nil, apierrors.NewNotFound(v1alpha1.Resource("environments").GroupResource(), name)
	}
	return w.environment.DeepCopy(), nil // tests change theirs between calls
}

func (w *world) ImagePolicies(context.Context, string) ([]*v1alpha1.ImagePolicy, error) {
	copies := make([]*v1alpha1.ImagePolicy, len(w.policies)) // tests change theirs between calls
	for i, policy := range w.policies {
		copies[i] = policy.DeepCopy()
	}
	return copies, w.call("imagePolicies")
}

func (w *world) Resolve(_ context.Context, _ image.Access, ref image.Reference) (image.Resolution, error) {
	if err := w.call("images"); err != nil {
		return image.Resolution{}, err
	}
	if ref.Digest != "" {
		w.t.Errorf("Resolve was asked for %s, which has a digest", ref)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	digest, found := w.digests[ref.String()]
	if !found {
		return image.Resolution{}, fmt.Errorf("registry %q answered that it has no such image: %w", ref.Registry, image.ErrNotExist)
	}
	return image.Resolution{Digest: digest, Stale: w.stale}, nil
}

func (w *world) Verify(_ context.Context, question proof.Question) (proof.Finding, error) {
	if err := w.call("images"); err != nil {
		return proof.Finding{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.verified = append(w.verified, question.Image.Digest)
	w.access = question.Access
	if w.signed[question.Image.Digest] {
		return proof.Finding{Outcome: proof.Outcome{Satisfied: true}, Stale: w.stale}, nil
	}
	return proof.Finding{Outcome: proof.Outcome{Reasons: []string{"it has no signatures"}}}, nil
}

func objectKey(kind schema.GroupKind, namespace, name string) string {
	return kind.String() + " " + namespace + "/" + name
}

func (w *world) Get(_ context.Context, kind schema.GroupVersionKind, namespace, name string) (*unstructured.Unstructured, error) {
	if err := w.call("objects"); err != nil {
		return nil, err
	}
	object, found := w.objects[objectKey(kind.GroupKind(), namespace, name)]
	if !found {
		return nil, apierrors.NewNotFound(schema.GroupResource{Group: kind.Group, Resource: kind.Kind}, name)
	}
	return object.DeepCopy(), nil
}

func (w *world) List(_ context.Context, kind schema.GroupVersionKind, namespace string) ([]unstructured.Unstructured, error) {
	if err := w.call("objects"); err != nil {
		return nil, err
	}
	var list []unstructured.Unstructured
	for key, object := range w.objects {
		if strings.HasPrefix(key, objectKey(kind.GroupKind(), namespace, "")) {
			list = append(list, *object.DeepCopy())
		}
	}
	return list, nil
}

func (w *world) EnvironmentOf(_ context.Context, namespace string) (string, error) {
	if err := w.call("policies"); err != nil || w.environment == nil || w.owner != "" {
		return w.owner, err
	}
	if owner := v1alpha1.Owner([]v1alpha1.Environment{*w.environment}, namespace, w.labels[namespace]); owner != nil {
		return owner.Name, nil
	}
	return "", nil
}

func (w *world) Holds(_ context.Context, user authenticationv1.UserInfo, verb, environment string) (bool, error) {
	return environment == environmentName && slices.Contains(w.holders[verb], user.Username), w.call("access")
}

func (w *world) Denied(_ context.Context, denial admission.Denial) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.denials = append(w.denials, denial)
}

func (w *world) SealKey(context.Context) ([]byte, error) { return w.key, w.call("keys") }

// store puts an object into the cluster, with a UID and a creation time if it has none.
func (w *world) store(raw []byte) *unstructured.Unstructured {
	w.t.Helper()
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(raw); err != nil {
		w.t.Fatal(err)
	}
	if object.GetUID() == "" {
		w.uids++
		object.SetUID(metaUID(w.uids))
	}
	if object.GetCreationTimestamp().Time.IsZero() {
		object.SetCreationTimestamp(metav1.NewTime(w.clock.Now()))
	}
	w.objects[objectKey(object.GroupVersionKind().GroupKind(), object.GetNamespace(), object.GetName())] = object
	return object
}

// review is a request in the making.
type review struct {
	object, old []byte
	user        authenticationv1.UserInfo
	subresource string
	dryRun      bool
}

func user(name string, groups ...string) authenticationv1.UserInfo {
	return authenticationv1.UserInfo{Username: name, Groups: groups}
}

func (w *world) request(r review) *admissionv1.AdmissionRequest {
	w.t.Helper()
	var head metav1.PartialObjectMetadata
	if err := json.Unmarshal(r.object, &head); err != nil {
		w.t.Fatal(err)
	}
	kind := head.GroupVersionKind()
	request := &admissionv1.AdmissionRequest{
		UID: "review", Operation: admissionv1.Create, Name: head.Name, Namespace: "prod",
		Kind:   metav1.GroupVersionKind{Group: kind.Group, Version: kind.Version, Kind: kind.Kind},
		Object: rawExtension(r.object), OldObject: rawExtension(r.old),
		UserInfo: r.user, SubResource: r.subresource, DryRun: &r.dryRun,
	}
	if r.old != nil {
		request.Operation = admissionv1.Update
	}
	return request
}

func (w *world) validate(r review) *admissionv1.AdmissionResponse {
	w.t.Helper()
	return w.judge.Validate(w.t.Context(), environmentName, w.request(r))
}

// mutate returns the response and the object with its patch.
func (w *world) mutate(r review) (*admissionv1.AdmissionResponse, []byte) {
	w.t.Helper()
	response := w.judge.Mutate(w.t.Context(), environmentName, w.request(r))
	if response.Patch == nil {
		return response, r.object
	}
	patch, err := jsonpatch.DecodePatch(response.Patch)
	if err != nil {
		w.t.Fatal(err)
	}
	patched, err := patch.Apply(r.object)
	if err != nil {
		w.t.Fatalf("applying %s: %v", response.Patch, err)
	}
	return response, patched
}

// admit sends a request through both doors, as the API server does, and stores what came of it.
func (w *world) admit(r review) *unstructured.Unstructured {
	w.t.Helper()
	response, patched := w.mutate(r)
	requireAllowed(w.t, response)
	r.object = patched
	requireAllowed(w.t, w.validate(r))
	return w.store(patched)
}

func requireAllowed(t *testing.T, response *admissionv1.AdmissionResponse) {
	t.Helper()
	if !response.Allowed {
		t.Fatalf("refused: %s", response.Result.Message)
	}
}

// requireRefused wants every text in the message.
func requireRefused(t *testing.T, response *admissionv1.AdmissionResponse, texts ...string) {
	t.Helper()
	if response.Allowed {
		t.Fatalf("admitted, want it refused with %q", texts)
	}
	for _, text := range texts {
		if !strings.Contains(response.Result.Message, text) {
			t.Errorf("message does not say %q:\n%s", text, response.Result.Message)
		}
	}
}
