package webhook

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

func newFakeClient(t *testing.T, objects ...client.Object) client.WithWatch {
	t.Helper()
	scheme, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
}

func imagePolicy(name string, environments ...string) *v1alpha1.ImagePolicy {
	return &v1alpha1.ImagePolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.ImagePolicySpec{Environments: environments},
	}
}

func TestAbsenceIsConfirmedLive(t *testing.T) {
	environment := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "production"}}
	p := newPolicies(
		newFakeClient(t, imagePolicy("old", "staging")),
		newFakeClient(t, environment, imagePolicy("old", "staging"), imagePolicy("new", "production", "staging")),
	)
	if got, err := p.Environment(t.Context(), "production"); err != nil || got.Name != "production" {
		t.Errorf("Environment that the cache lacks: %v, %v", got, err)
	}
	if _, err := p.Environment(t.Context(), "none"); !apierrors.IsNotFound(err) {
		t.Errorf("Environment that nobody has: %v", err)
	}
	got, err := p.ImagePolicies(t.Context(), "production")
	if err != nil || len(got) != 1 || got[0].Name != "new" {
		t.Errorf("ImagePolicies that the cache lacks: %v, %v", got, err)
	}
	if got, err := p.ImagePolicies(t.Context(), "none"); err != nil || len(got) != 0 {
		t.Errorf("ImagePolicies that nobody has: %v, %v", got, err)
	}
	if p.known(t.Context(), "production") {
		t.Error("metrics ask the API server")
	}
}

func TestUnreadablePoliciesAreAnError(t *testing.T) {
	failure := errors.New("no answer")
	broken := interceptor.NewClient(newFakeClient(t), interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return failure
		},
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return failure },
	})
	p := newPolicies(newFakeClient(t), broken)
	if _, err := p.Environment(t.Context(), "production"); !errors.Is(err, failure) {
		t.Errorf("Environment: %v", err)
	}
	if _, err := p.ImagePolicies(t.Context(), "production"); !errors.Is(err, failure) {
		t.Errorf("ImagePolicies: %v", err)
	}
}

func TestObjectsKeepUnknownFields(t *testing.T) {
	kind := schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}
	live := &unstructured.Unstructured{Object: map[string]any{
		"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"fieldOfTomorrow": "kept"}}},
	}}
	live.SetGroupVersionKind(kind)
	live.SetName("web")
	live.SetNamespace("shop")
	c := fake.NewClientBuilder().WithScheme(runtime.NewScheme()).WithObjects(live).Build()
	o := objects{live: c}
	got, err := o.Get(t.Context(), kind, "shop", "web")
	if err != nil {
		t.Fatal(err)
	}
	field, _, err := unstructured.NestedString(got.Object, "spec", "template", "spec", "fieldOfTomorrow")
	if err != nil || field != "kept" {
		t.Errorf("field %q, %v", field, err)
	}
	if _, err := o.Get(t.Context(), kind, "shop", "api"); !apierrors.IsNotFound(err) {
		t.Errorf("absent object: %v", err)
	}
	all, err := o.List(t.Context(), kind, "shop")
	if err != nil || len(all) != 1 || all[0].GetName() != "web" {
		t.Errorf("list: %v, %v", all, err)
	}
	if other, err := o.List(t.Context(), kind, "other"); err != nil || len(other) != 0 {
		t.Errorf("list of another namespace: %v, %v", other, err)
	}
}

func TestListsReadAllPages(t *testing.T) {
	pages := map[string][]string{"": {"a", "b"}, "next": {"c"}}
	c := interceptor.NewClient(newFakeClient(t), interceptor.Funcs{
		List: func(_ context.Context, _ client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			o := (&client.ListOptions{}).ApplyOptions(options)
			target := list.(*unstructured.UnstructuredList)
			target.Items = nil
			for _, name := range pages[o.Continue] {
				item := unstructured.Unstructured{Object: map[string]any{}}
				item.SetName(name)
				target.Items = append(target.Items, item)
			}
			target.SetContinue(map[string]string{"": "next"}[o.Continue])
			return nil
		},
	})
	all, err := objects{live: c}.List(t.Context(), schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, "shop")
	if err != nil || len(all) != 3 {
		t.Errorf("%d objects, %v", len(all), err)
	}
}

func TestAccessAsksForTheVerbOnTheEnvironment(t *testing.T) {
	tests := map[string]struct {
		status  authorizationv1.SubjectAccessReviewStatus
		fail    error
		want    bool
		wantErr string
	}{
		"allowed":                              {status: authorizationv1.SubjectAccessReviewStatus{Allowed: true}, want: true},
		"not allowed":                          {status: authorizationv1.SubjectAccessReviewStatus{}, want: false},
		"allowed although an authorizer fails": {status: authorizationv1.SubjectAccessReviewStatus{Allowed: true, EvaluationError: "x"}, want: true},
		"nobody could tell":                    {status: authorizationv1.SubjectAccessReviewStatus{EvaluationError: "webhook timed out"}, wantErr: "webhook timed out"},
		"no answer":                            {fail: errors.New("connection refused"), wantErr: "connection refused"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var asked authorizationv1.SubjectAccessReviewSpec
			c := interceptor.NewClient(newFakeClient(t), interceptor.Funcs{
				Create: func(_ context.Context, _ client.WithWatch, object client.Object, _ ...client.CreateOption) error {
					review := object.(*authorizationv1.SubjectAccessReview)
					asked = review.Spec
					review.Status = test.status
					return test.fail
				},
			})
			user := authenticationv1.UserInfo{
				Username: "bob", UID: "7", Groups: []string{"leads"},
				Extra: map[string]authenticationv1.ExtraValue{"scopes": {"a", "b"}},
			}
			got, err := access{writer: c}.Holds(t.Context(), user, "approve", "production")
			if got != test.want {
				t.Errorf("got %v", got)
			}
			if (err == nil) != (test.wantErr == "") || (err != nil && !strings.Contains(err.Error(), test.wantErr)) {
				t.Errorf("error %v, want %q", err, test.wantErr)
			}
			want := authorizationv1.SubjectAccessReviewSpec{
				User: "bob", UID: "7", Groups: []string{"leads"},
				Extra: map[string]authorizationv1.ExtraValue{"scopes": {"a", "b"}},
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Verb: "approve", Group: "rune.runeframeos.com", Version: "v1alpha1", Resource: "environments", Name: "production",
				},
			}
			if diff := cmp.Diff(want, asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}
