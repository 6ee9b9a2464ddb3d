package install

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/runeframeos/kubectl-rune/pkg/cli/exit"
)

// apiServer is a fake that applies as an API server does, as far as these tests look: it keeps what is
// applied, counts a resource version where something changes, serves kinds and runs Deployments at once.
type apiServer struct {
	client  *dynamicfake.FakeDynamicClient
	applied []string
	dryRuns int
	// broken Deployments never become available.
	broken bool
}

func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	kinds := map[schema.GroupVersionResource]string{{Version: "v1", Resource: "pods"}: "PodList"}
	for _, object := range objects(t, Settings{}) {
		kinds[ResourceOf(object)] = object.GetKind() + "List"
	}
	s := &apiServer{client: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds)}
	s.client.PrependReactor("patch", "*", s.apply)
	return s
}

func (s *apiServer) apply(action clienttesting.Action) (bool, runtime.Object, error) {
	patch := action.(clienttesting.PatchActionImpl)
	if patch.PatchType != types.ApplyPatchType || !*patch.PatchOptions.Force || patch.PatchOptions.FieldManager != "kubectl-rune" {
		return true, nil, apierrors.NewBadRequest("not an apply of kubectl-rune")
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(patch.Patch); err != nil {
		return true, nil, err
	}
	tracker, resource, ns := s.client.Tracker(), patch.GetResource(), patch.GetNamespace()
	if _, err := tracker.Get(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}, "", ns); ns != "" && err != nil {
		return true, nil, apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, ns)
	}
	if len(patch.PatchOptions.DryRun) > 0 {
		s.dryRuns++
		return true, object, nil
	}
	s.applied = append(s.applied, TypeName(object))
	hash := strings.TrimSpace(string(patch.Patch))
	object.SetResourceVersion(hash)
	s.complete(object)
	before, err := tracker.Get(resource, ns, patch.GetName())
	if apierrors.IsNotFound(err) {
		return true, object, tracker.Create(resource, object, ns)
	}
	if before.(*unstructured.Unstructured).GetResourceVersion() == hash {
		return true, before, nil
	}
	return true, object, tracker.Update(resource, object, ns)
}

// complete fills in what controllers would.
func (s *apiServer) complete(object *unstructured.Unstructured) {
	switch object.GetKind() {
	case "CustomResourceDefinition":
		object.Object["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Established", "status": "True"}}}
	case "Deployment":
		if !s.broken {
			replicas, _, _ := unstructured.NestedInt64(object.Object, "spec", "replicas")
			object.Object["status"] = map[string]any{"replicas": replicas, "updatedReplicas": replicas, "availableReplicas": replicas}
		}
	}
}

func (s *apiServer) options(settings Settings) (o *Options, out, errOut func() string) {
	streams, _, stdout, stderr := genericiooptions.NewTestIOStreams()
	return &Options{
		Settings: settings, DryRun: dryRunNone, Wait: true, Timeout: time.Minute,
		client: s.client, poll: time.Millisecond, IOStreams: streams,
	}, stdout.String, stderr.String
}

func TestInstallSaysWhatItDid(t *testing.T) {
	s := newAPIServer(t)
	total := len(objects(t, Settings{}))
	for _, test := range []struct {
		settings                       Settings
		created, unchanged, configured int
	}{
		{settings: Settings{Image: "x:v1"}, created: total},
		{settings: Settings{Image: "x:v1"}, unchanged: total},
		{settings: Settings{Image: "x:v2", Replicas: 3}, unchanged: total - 1, configured: 1},
	} {
		o, out, errOut := s.options(test.settings)
		if err := o.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		count := func(word string) int { return strings.Count(out(), " "+word+"\n") }
		if count("created") != test.created || count("unchanged") != test.unchanged || count("configured") != test.configured {
			t.Errorf("%+v:\n%s", test, out())
		}
		if !strings.Contains(errOut(), "the webhook is available") {
			t.Errorf("stderr %q", errOut())
		}
	}
	if !strings.HasPrefix(s.applied[0], "customresourcedefinition.") || s.applied[total-1] != "deployment.apps/rune-webhook" {
		t.Errorf("applied from %s to %s", s.applied[0], s.applied[total-1])
	}
}

func TestServerDryRunChangesNothing(t *testing.T) {
	s := newAPIServer(t)
	o, out, _ := s.options(Settings{Image: "x:v1"})
	o.DryRun = dryRunServer
	if err := o.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(s.applied) > 0 || s.dryRuns == 0 {
		t.Errorf("%d dry runs, applied %v", s.dryRuns, s.applied)
	}
	if !strings.Contains(out(), "namespace/rune-system created (server dry run)\n") ||
		!strings.Contains(out(), "deployment.apps/rune-webhook created (not checked: namespace rune-system does not exist yet)\n") {
		t.Errorf("output:\n%s", out())
	}
}

func TestWebhookThatDoesNotStartIsExplained(t *testing.T) {
	s := newAPIServer(t)
	s.broken = true
	pod := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{"name": "rune-webhook-1", "namespace": "rune-system", "labels": map[string]any{"app.kubernetes.io/name": "rune-webhook"}},
		"status": map[string]any{"containerStatuses": []any{map[string]any{
			"state": map[string]any{"waiting": map[string]any{"reason": "ImagePullBackOff", "message": "no such image"}},
		}}},
	}}
	if err := s.client.Tracker().Create(schema.GroupVersionResource{Version: "v1", Resource: "pods"}, pod, "rune-system"); err != nil {
		t.Fatal(err)
	}
	o, _, _ := s.options(Settings{Image: "x:v1"})
	o.Timeout = 300 * time.Millisecond
	err := o.Run(t.Context())
	if exit.CodeOf(err) != exit.TimedOut || !strings.Contains(err.Error(), "pod/rune-webhook-1: ImagePullBackOff: no such image") {
		t.Errorf("code %d: %v", exit.CodeOf(err), err)
	}
}

func TestRefusalStopsTheInstallation(t *testing.T) {
	s := newAPIServer(t)
	s.client.PrependReactor("patch", "clusterroles", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "clusterroles"}, "x", nil)
	})
	o, _, _ := s.options(Settings{Image: "x:v1"})
	if err := o.Run(t.Context()); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "applying clusterrole.rbac.authorization.k8s.io/") {
		t.Errorf("error %v", err)
	}
	deployments := appsv1.SchemeGroupVersion.WithResource("deployments")
	if _, err := s.client.Resource(deployments).Namespace(namespace).Get(t.Context(), Name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the Deployment: %v", err)
	}
}
