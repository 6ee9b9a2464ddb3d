package drive

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
)

func TestAPromotedWorkloadGetsItsEnvironmentsSize(t *testing.T) {
	production := v1alpha1.Environment{
		ObjectMeta: metav1.ObjectMeta{Name: "production"},
		Spec:       v1alpha1.EnvironmentSpec{Workload: &v1alpha1.WorkloadSettings{Replicas: ptr.To(int32(3))}},
	}
	scaled := *production.DeepCopy()
	scaled.Spec.Workload.Scaling = &v1alpha1.ScalingSettings{MinReplicas: 3, MaxReplicas: 10}
	tests := map[string]struct {
		action   v1alpha1.Action
		outcome  engine.Outcome
		cluster  fakeCluster
		replicas int32
		bounds   v1alpha1.ScalingSettings
		errOut   string
	}{
		"another size than before": {
			action: v1alpha1.ActionPromote, outcome: engine.OutcomeSucceeded,
			cluster: fakeCluster{replicas: 2, environments: []v1alpha1.Environment{production}}, replicas: 3,
			errOut: "scaled from 2 to 3 replicas",
		},
		"an autoscaler's size stays": {
			action: v1alpha1.ActionPromote, outcome: engine.OutcomeSucceeded,
			cluster: fakeCluster{replicas: 2, autoscaled: true, environments: []v1alpha1.Environment{production}}, replicas: 2,
			errOut: "an autoscaler owns it",
		},
		"an autoscaler gets the environment's bounds": {
			action: v1alpha1.ActionPromote, outcome: engine.OutcomeSucceeded,
			cluster: fakeCluster{replicas: 2, autoscaled: true, environments: []v1alpha1.Environment{scaled}}, replicas: 2,
			bounds: *scaled.Spec.Workload.Scaling, errOut: "horizontalpodautoscaler/web scales from 3 to 10 replicas now",
		},
		"a canary changes no bounds": {
			action: v1alpha1.ActionCanary, outcome: engine.OutcomeSucceeded,
			cluster: fakeCluster{replicas: 2, autoscaled: true, environments: []v1alpha1.Environment{scaled}}, replicas: 2,
		},
		"a canary changes no size": {
			action: v1alpha1.ActionCanary, outcome: engine.OutcomeSucceeded,
			cluster: fakeCluster{replicas: 2, environments: []v1alpha1.Environment{production}}, replicas: 2,
		},
		"a promotion that was taken back changes no size": {
			action: v1alpha1.ActionPromote, outcome: engine.OutcomeRolledBack,
			cluster: fakeCluster{replicas: 2, environments: []v1alpha1.Environment{production}}, replicas: 2,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d, _, errOut := drivenBy(&fakeEngine{run: func() (engine.Result, error) {
				return engine.Result{Outcome: test.outcome}, nil
			}}, &test.cluster)
			err := d.Run(t.Context(), newRelease(test.action))
			if test.outcome == engine.OutcomeSucceeded && err != nil {
				t.Fatal(err)
			}
			if test.cluster.replicas != test.replicas || test.cluster.bounds != test.bounds || !strings.Contains(errOut.String(), test.errOut) {
				t.Errorf("got %d replicas and %q, want %d and %q", test.cluster.replicas, errOut, test.replicas, test.errOut)
			}
		})
	}
}
