package install

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/runeframeos/kubectl-rune/pkg/cli/exit"
)

// waitEstablished waits until the API server serves the kinds.
func (o *Options) waitEstablished(ctx context.Context, crds []*unstructured.Unstructured) error {
	for _, crd := range crds {
		client := ClientOf(o.client, crd)
		err := wait.PollUntilContextCancel(ctx, o.poll, true, func(ctx context.Context) (bool, error) {
			live, err := client.Get(ctx, crd.GetName(), metav1.GetOptions{})
			if err != nil {
				return false, err
			}
			return hasCondition(live, "Established"), nil
		})
		if err != nil {
			return o.orTimeout(ctx, err, fmt.Sprintf("waiting for %s to be served", TypeName(crd)))
		}
	}
	return nil
}

func hasCondition(object *unstructured.Unstructured, kind string) bool {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions") //nolint:errcheck // absent means not yet
	for _, c := range conditions {
		condition, ok := c.(map[string]any)
		if ok && condition["type"] == kind && condition["status"] == "True" {
			return true
		}
	}
	return false
}

// waitAvailable waits until all replicas run the applied version, and says on stderr how far that is.
func (o *Options) waitAvailable(ctx context.Context) error {
	deployments := o.client.Resource(appsv1.SchemeGroupVersion.WithResource("deployments")).Namespace(namespace)
	progress := ""
	err := wait.PollUntilContextCancel(ctx, o.poll, true, func(ctx context.Context) (bool, error) {
		live, err := deployments.Get(ctx, Name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		deployment := &appsv1.Deployment{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, deployment); err != nil {
			return false, err
		}
		done, state := rolledOut(deployment)
		if state != progress {
			progress = state
			fmt.Fprintln(o.ErrOut, state)
		}
		return done, nil
	})
	if err == nil {
		return nil
	}
	what := "waiting for deployment.apps/" + Name
	if troubles := o.troubles(context.WithoutCancel(ctx)); len(troubles) > 0 {
		what += " (" + strings.Join(troubles, "; ") + ")"
	}
	return o.orTimeout(ctx, err, what)
}

// rolledOut tells whether all wanted replicas are of the newest template and available, and no other is left.
func rolledOut(deployment *appsv1.Deployment) (bool, string) {
	wanted := int32(1)
	if deployment.Spec.Replicas != nil {
		wanted = *deployment.Spec.Replicas
	}
	status := deployment.Status
	if status.ObservedGeneration < deployment.Generation {
		return false, "waiting for the webhook: the new version was not noticed yet"
	}
	if status.UpdatedReplicas == wanted && status.Replicas == wanted && status.AvailableReplicas == wanted {
		return true, fmt.Sprintf("the webhook is available: %d of %d replicas", wanted, wanted)
	}
	return false, fmt.Sprintf("waiting for the webhook: %d of %d replicas updated, %d available",
		status.UpdatedReplicas, wanted, status.AvailableReplicas)
}

// troubles says why pods of the webhook do not run. It is a courtesy: what cannot be read is not said.
func (o *Options) troubles(ctx context.Context) []string {
	list, err := o.client.Resource(corev1.SchemeGroupVersion.WithResource("pods")).Namespace(namespace).
		List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=" + Name})
	if err != nil {
		return nil
	}
	var troubles []string
	for i := range list.Items {
		pod := &corev1.Pod{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, pod); err != nil {
			continue
		}
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
				troubles = append(troubles, fmt.Sprintf("pod/%s: %s", pod.Name, condition.Message))
			}
		}
		for _, status := range pod.Status.ContainerStatuses {
			if waiting := status.State.Waiting; waiting != nil && waiting.Reason != "ContainerCreating" {
				troubles = append(troubles, strings.TrimSuffix(fmt.Sprintf("pod/%s: %s: %s", pod.Name, waiting.Reason, waiting.Message), ": "))
			}
		}
	}
	slices.Sort(troubles)
	return troubles
}

// orTimeout gives the end of the command's time its exit code and the next command.
func (o *Options) orTimeout(ctx context.Context, err error, what string) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return exit.With(exit.TimedOut, fmt.Errorf("%s: not there after %s: look at it with `kubectl -n %s get pods,events`, then run install again",
			what, o.Timeout, namespace))
	}
	return fmt.Errorf("%s: %w", what, err)
}
