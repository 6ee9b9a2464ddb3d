package connect

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/utils/ptr"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

func TestNewerFirst(t *testing.T) {
	at := func(name, stamp string) v1alpha1.Release {
		r := v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if err := r.CreationTimestamp.UnmarshalQueryParameter(stamp); err != nil {
			t.Fatal(err)
		}
		return r
	}
	releases := []v1alpha1.Release{
		at("web-9", "2026-11-02T10:00:00Z"), at("web-11", "2026-11-02T10:00:01Z"),
		at("web-10", "2026-11-02T10:00:00Z"), at("web-8", "2026-11-01T10:00:00Z"),
	}
	slices.SortStableFunc(releases, func(a, b v1alpha1.Release) int {
		if Newer(&a, &b) {
			return -1
		}
		return 1
	})
	var names []string
	for _, r := range releases {
		names = append(names, r.Name)
	}
	if diff := cmp.Diff([]string{"web-11", "web-10", "web-9", "web-8"}, names); diff != "" {
		t.Errorf("the order differs (-want +got):\n%s", diff)
	}
}

func TestResize(t *testing.T) {
	scaler := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "any", Namespace: "shop"},
		Spec:       autoscalingv2.HorizontalPodAutoscalerSpec{ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: "web"}},
	}
	other := scaler.DeepCopy()
	other.Spec.ScaleTargetRef.Name = "api"
	resource := schema.GroupResource{Resource: "any"}
	tests := map[string]struct {
		objects    []runtime.Object
		answer     func(*fake.Clientset)
		wanted     int32
		replicas   int32
		autoscaled bool
		writes     int
	}{
		"another size":                 {wanted: 3, replicas: 3, writes: 1},
		"the same size writes nothing": {wanted: 2, replicas: 2},
		"an autoscaler owns the size":  {objects: []runtime.Object{scaler}, wanted: 3, replicas: 2, autoscaled: true},
		"another deployment's autoscaler does not": {
			objects: []runtime.Object{other}, wanted: 3, replicas: 3, writes: 1,
		},
		"who may not look leaves it alone": {
			answer: func(c *fake.Clientset) {
				c.PrependReactor("list", "horizontalpodautoscalers", func(clienttesting.Action) (bool, runtime.Object, error) {
					return true, nil, apierrors.NewForbidden(resource, "", nil)
				})
			},
			wanted: 3, replicas: 2, autoscaled: true,
		},
		"a conflict is tried again": {
			answer: func(c *fake.Clientset) {
				first := true
				c.PrependReactor("patch", "deployments", func(clienttesting.Action) (bool, runtime.Object, error) {
					refuse := first
					first = false
					return refuse, nil, apierrors.NewConflict(resource, "web", nil)
				})
			},
			wanted: 3, replicas: 3, writes: 2,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			web := &appsv1.Deployment{
				ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop"}, Spec: appsv1.DeploymentSpec{Replicas: ptr.To(int32(2))},
			}
			kube := fake.NewClientset(append([]runtime.Object{web}, test.objects...)...)
			if test.answer != nil {
				test.answer(kube)
			}
			c := &Connection{Kube: kube}
			was, autoscaled, err := c.Resize(t.Context(), "shop", "web", test.wanted)
			if err != nil || was != 2 || autoscaled != test.autoscaled {
				t.Errorf("Resize gives %d, %v, %v, want 2, %v and no error", was, autoscaled, err, test.autoscaled)
			}
			got, err := c.Deployment(t.Context(), "shop", "web")
			if err != nil || *got.Spec.Replicas != test.replicas {
				t.Errorf("the deployment has %v replicas (%v), want %d", got.Spec.Replicas, err, test.replicas)
			}
			writes := 0
			for _, action := range kube.Actions() {
				if action.GetVerb() == "patch" {
					writes++
				}
			}
			if writes != test.writes {
				t.Errorf("%d writes, want %d", writes, test.writes)
			}
		})
	}
}

func TestUnservedAndMissingAreTold(t *testing.T) {
	missing := apierrors.NewNotFound(schema.GroupResource{Group: v1alpha1.GroupName, Resource: "releases"}, "web-7")
	notServed := &apierrors.StatusError{ErrStatus: metav1.Status{
		Code: 404, Reason: metav1.StatusReasonNotFound, Message: "the server could not find the requested resource",
		Details: &metav1.StatusDetails{Group: v1alpha1.GroupName, Kind: "releases"},
	}}
	if unserved(missing) || !unserved(notServed) {
		t.Errorf("unserved() = %v for a missing object and %v for a missing kind, want false and true", unserved(missing), unserved(notServed))
	}
}
