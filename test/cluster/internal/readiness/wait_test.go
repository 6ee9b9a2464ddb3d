package readiness

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/layout"
)

func TestWaitTakesTheConditionsInTurn(t *testing.T) {
	var seen []string
	tries := 0
	condition := func(name string, check func() error) Condition {
		return Condition{Name: name, Check: func(context.Context) error {
			seen = append(seen, name)
			return check()
		}}
	}
	err := Wait(t.Context(), time.Minute, []Condition{
		condition("first", func() error {
			if tries++; tries < 3 {
				return errors.New("not yet")
			}
			return nil
		}),
		condition("second", func() error { return nil }),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != 4 || seen[3] != "second" {
		t.Errorf("checked %v, want first three times and then second", seen)
	}
}

func TestWaitNamesWhatDidNotComeAndWhy(t *testing.T) {
	gone := errors.New("the process has ended")
	tests := map[string]struct {
		bound time.Duration
		end   bool
		want  error
	}{
		"the bound":            {time.Millisecond, false, errBound},
		"the end of the child": {time.Minute, true, gone},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			last := errors.New("connection refused")
			err := Wait(ctx, test.bound, []Condition{{Name: "it answers", Component: "etcd", Check: func(context.Context) error {
				if test.end {
					cancel(gone)
				}
				return last
			}}})
			var unmet *Unmet
			if !errors.As(err, &unmet) || unmet.Condition.Component != "etcd" || !errors.Is(unmet.Last, last) || !errors.Is(err, test.want) {
				t.Errorf("got error %v, want one about etcd that says %q and %q", err, last, test.want)
			}
		})
	}
}

func TestNodesAreReadyWhenThereAreSomeAndAllAre(t *testing.T) {
	node := func(name string, status corev1.ConditionStatus) *corev1.Node {
		return &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status}}},
		}
	}
	tests := map[string]struct {
		nodes []*corev1.Node
		want  bool
	}{
		"no node is not ready":             {nil, false},
		"a node that is ready":             {[]*corev1.Node{node("a", corev1.ConditionTrue)}, true},
		"one of two that is not":           {[]*corev1.Node{node("a", corev1.ConditionTrue), node("b", corev1.ConditionFalse)}, false},
		"a node that has said nothing yet": {[]*corev1.Node{{ObjectMeta: metav1.ObjectMeta{Name: "a"}}}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset()
			for _, n := range test.nodes {
				if _, err := client.CoreV1().Nodes().Create(t.Context(), n, metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			err := Nodes(client, "kubelet").Check(t.Context())
			if got := err == nil; got != test.want {
				t.Errorf("ready: %t (%v), want %t", got, err, test.want)
			}
		})
	}
}

func TestAddonsMayBeCreatedTwice(t *testing.T) {
	client := fake.NewClientset()
	network := layout.NetworkOf("rune")
	for range 2 {
		if err := Addons(client, network).Check(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	service, err := client.CoreV1().Services(metav1.NamespaceSystem).Get(t.Context(), "kube-dns", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := service.Spec.ClusterIP, network.DNSService().String(); got != want {
		t.Errorf("the DNS has address %s, want %s, which pods are told", got, want)
	}
}
