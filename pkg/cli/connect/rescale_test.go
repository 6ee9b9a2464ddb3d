package connect

import (
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/utils/ptr"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

func TestRescaleSetsTheBoundsOfTheWorkloadsOwnAutoscaler(t *testing.T) {
	scaler := func(target string, low, high int32) *autoscalingv2.HorizontalPodAutoscaler {
		return &autoscalingv2.HorizontalPodAutoscaler{
			ObjectMeta: metav1.ObjectMeta{Name: "size", Namespace: "shop"},
			Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
				ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: target},
				MinReplicas:    ptr.To(low), MaxReplicas: high,
			},
		}
	}
	tests := map[string]struct {
		objects   []runtime.Object
		changed   string
		low, high int32
	}{
		"other bounds":                  {objects: []runtime.Object{scaler("web", 1, 2)}, changed: "size", low: 3, high: 10},
		"the same bounds":               {objects: []runtime.Object{scaler("web", 3, 10)}, low: 3, high: 10},
		"another workload's":            {objects: []runtime.Object{scaler("api", 1, 2)}, low: 1, high: 2},
		"a workload that is not scaled": {},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			kube := fake.NewClientset(tt.objects...)
			c := &Connection{Kube: kube}
			changed, err := c.Rescale(t.Context(), "shop", "web", v1alpha1.ScalingSettings{MinReplicas: 3, MaxReplicas: 10})
			if err != nil || changed != tt.changed {
				t.Fatalf("Rescale = %q, %v, want %q", changed, err, tt.changed)
			}
			if len(tt.objects) == 0 {
				return
			}
			live, err := kube.AutoscalingV2().HorizontalPodAutoscalers("shop").Get(t.Context(), "size", metav1.GetOptions{})
			if err != nil || *live.Spec.MinReplicas != tt.low || live.Spec.MaxReplicas != tt.high {
				t.Errorf("bounds are %d to %d (%v), want %d to %d", *live.Spec.MinReplicas, live.Spec.MaxReplicas, err, tt.low, tt.high)
			}
		})
	}
}
