package cluster_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cluster"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
)

// web is a Deployment with a field in its template that no Go type of this program knows.
const web = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"namespace":"shop","name":"web","uid":"u1","resourceVersion":"7"},
"spec":{"replicas":3,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},
"spec":{"fromTheFuture":{"port":8080},"containers":[{"name":"app","image":"web:v1","ports":[{"containerPort":8080}]}]}}}}`

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return u
}

func fakes(t *testing.T, objects ...runtime.Object) (*cluster.Cluster, *dynamicfake.FakeDynamicClient, *fake.Clientset) {
	t.Helper()
	kinds := map[schema.GroupVersionResource]string{
		v1alpha1.Resource("releases"): "ReleaseList", v1alpha1.Resource("environments"): "EnvironmentList", v1alpha1.Resource("approvals"): "ApprovalList",
		{Group: "apps", Version: "v1", Resource: "deployments"}: "DeploymentList",
	}
	d := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds, objects...)
	c := fake.NewClientset()
	return cluster.NewFor(c, d, "shop"), d, c
}

func TestATemplateSurvivesWithFieldsThatNoTypeKnows(t *testing.T) {
	c, _, _ := fakes(t, object(t, web))
	live, err := c.GetDeployment(t.Context(), "shop", "web")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(live.Template.Raw), `"fromTheFuture":{"port":8080}`) {
		t.Errorf("the template lost a field: %s", live.Template.Raw)
	}
	r := &engine.Release{From: live.Template, To: live.Template}
	r.Namespace, r.Name, r.Spec.Workload = "shop", "web-1", v1alpha1.WorkloadReference{Kind: "Deployment", Name: "web"}
	r.Kind, r.APIVersion = v1alpha1.KindRelease, v1alpha1.GroupVersion().String()
	if _, err := c.CreateRelease(t.Context(), r, engine.Write{}); err != nil {
		t.Fatal(err)
	}
	stored, err := c.GetRelease(t.Context(), "shop", "web-1")
	if err != nil {
		t.Fatal(err)
	}
	if stored.From.Hash != live.Template.Hash || stored.To.Hash != live.Template.Hash {
		t.Errorf("hashes differ after storing: from %s, to %s, want %s", stored.From.Hash, stored.To.Hash, live.Template.Hash)
	}
}

func TestPatchesCarryTheResourceVersionThatWasRead(t *testing.T) {
	c, d, _ := fakes(t, object(t, web))
	var body []map[string]any
	d.PrependReactor("patch", "deployments", func(action clienttesting.Action) (bool, runtime.Object, error) {
		return false, nil, json.Unmarshal(action.(clienttesting.PatchAction).GetPatch(), &body)
	})
	live, err := c.GetDeployment(t.Context(), "shop", "web")
	if err != nil {
		t.Fatal(err)
	}
	yes := true
	if _, err := c.PatchDeployment(t.Context(), live, engine.Change{Paused: &yes}, engine.Write{}); err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{
		{"op": "test", "path": "/metadata/uid", "value": "u1"},
		{"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
		{"op": "add", "path": "/spec/paused", "value": true},
	}
	if diff := cmp.Diff(want, body); diff != "" {
		t.Error(diff)
	}
}

// TestAFailedPreconditionIsAConflict: the API server answers 422 without a cause.
func TestAFailedPreconditionIsAConflict(t *testing.T) {
	invalid := apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "patch", schema.GroupResource{Resource: "deployments"}, "web", "testing value failed", 0, false)
	tests := map[string]struct {
		stored   string
		conflict bool
	}{
		"the object was changed meanwhile":              {stored: strings.Replace(web, `"resourceVersion":"7"`, `"resourceVersion":"8"`, 1), conflict: true},
		"the object was made anew meanwhile":            {stored: strings.Replace(web, `"uid":"u1"`, `"uid":"u2"`, 1), conflict: true},
		"the object is as it was: the patch is invalid": {stored: web},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			before, _, _ := fakes(t, object(t, web))
			live, err := before.GetDeployment(t.Context(), "shop", "web")
			if err != nil {
				t.Fatal(err)
			}
			c, d, _ := fakes(t, object(t, tt.stored))
			d.PrependReactor("patch", "deployments", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, invalid })
			yes := true
			_, err = c.PatchDeployment(t.Context(), live, engine.Change{Paused: &yes}, engine.Write{})
			if apierrors.IsConflict(err) != tt.conflict || apierrors.IsInvalid(err) == tt.conflict {
				t.Errorf("error %v, want a conflict: %t", err, tt.conflict)
			}
		})
	}
}

func TestMissingNamesWhatIsNotAllowed(t *testing.T) {
	c, _, clients := fakes(t)
	clients.PrependReactor("create", "selfsubjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview)
		review.Status.Allowed = review.Spec.ResourceAttributes.Verb != "delete"
		return true, review, nil
	})
	no := engine.Right{Verb: "delete", Group: "apps", Resource: "deployments", Namespace: "shop"}
	got, err := c.Missing(t.Context(), []engine.Right{{Verb: "get", Resource: "pods"}, no, {Verb: "list", Resource: "pods"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]engine.Right{no}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAutoscaledIsTrueWhereItCannotBeKnown(t *testing.T) {
	c, _, clients := fakes(t)
	if got, err := c.Autoscaled(t.Context(), "shop", "web"); err != nil || got {
		t.Errorf("without autoscalers: %t, %v", got, err)
	}
	clients.PrependReactor("list", "horizontalpodautoscalers", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "horizontalpodautoscalers"}, "", errors.New("no"))
	})
	if got, err := c.Autoscaled(t.Context(), "shop", "web"); err != nil || !got {
		t.Errorf("without the right to list them: %t, %v", got, err)
	}
}

// TestProbe talks to an API server that answers as the real one's service proxy does.
func TestProbe(t *testing.T) {
	tests := map[string]struct {
		answer  http.HandlerFunc
		want    int
		problem string
	}{
		"the pod's 200":               {answer: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) }, want: 200},
		"the pod's 500 in plain text": {answer: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "boom", 500) }, want: 500},
		"the pod's 503 in JSON of its own": {answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(503)
			_, _ = w.Write([]byte(`{"status":"down"}`))
		}, want: 503},
		"no endpoints":      {answer: apiStatus(`no endpoints available for service "http:web-1:8080"`), problem: engine.ErrNoEndpoints.Error()},
		"no pod answered":   {answer: apiStatus("error trying to reach service: connection refused"), problem: "connection refused"},
		"no answer in time": {answer: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, problem: "no answer within 50ms"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var asked string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = r.URL.RequestURI()
				tt.answer(w, r)
			}))
			defer server.Close()
			c, err := cluster.New(cluster.Config{REST: &rest.Config{Host: server.URL}, Namespace: "shop"})
			if err != nil {
				t.Fatal(err)
			}
			timeout := 10 * time.Second
			if strings.Contains(tt.problem, "50ms") {
				timeout = 50 * time.Millisecond
			}
			got, err := c.Get(t.Context(), engine.Probe{Namespace: "shop", Service: "web-1", Port: 8080, Path: "/health?deep=1", Timeout: timeout})
			if got != tt.want || (err == nil) != (tt.problem == "") || (err != nil && !strings.Contains(err.Error(), tt.problem)) {
				t.Errorf("answer %d, %v; want %d, %q", got, err, tt.want, tt.problem)
			}
			if want := "/api/v1/namespaces/shop/services/http:web-1:8080/proxy/health?deep=1"; asked != want {
				t.Errorf("asked for %s, want %s", asked, want)
			}
		})
	}
}

func apiStatus(message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(503)
		status := apierrors.NewServiceUnavailable(message).Status()
		status.Kind, status.APIVersion = "Status", "v1"
		_ = json.NewEncoder(w).Encode(status)
	}
}

func TestWarningsAreToldOnce(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Warning", `299 - "a missing approval"`)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(web))
	}))
	defer server.Close()
	var told []string
	c, err := cluster.New(cluster.Config{REST: &rest.Config{Host: server.URL}, Namespace: "shop", OnWarning: func(text string) { told = append(told, text) }})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := c.Deployment(t.Context(), "web"); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"a missing approval"}, told); diff != "" {
		t.Error(diff)
	}
}
