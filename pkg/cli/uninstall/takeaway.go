package uninstall

import (
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/exit"
	"github.com/runeframeos/kubectl-rune/pkg/cli/install"
)

// registration is the ClusterRole and ClusterRoleBinding by which the webhook may write its webhook
// configurations.
const registration = "rune-webhook-registration"

// takeAway deletes in this order: the webhook's right to register itself, the webhook configurations,
// the Deployment, the rest. Until the configurations are gone the webhook answers, so nobody's request
// fails; without the right it cannot put them back.
func (o *Options) takeAway(ctx context.Context) error {
	objects, err := install.Objects(install.Settings{})
	if err != nil {
		return err
	}
	first := slices.DeleteFunc(slices.Clone(objects), func(object *unstructured.Unstructured) bool {
		return object.GetName() != registration || object.GetKind() != "ClusterRoleBinding"
	})
	steps := [][]*unstructured.Unstructured{first, configurations(), only(objects, "Deployment")}
	for _, step := range steps {
		if err := o.deleteAll(ctx, step); err != nil {
			return err
		}
	}
	if err := o.waitGone(ctx, only(objects, "Deployment")); err != nil {
		return err
	}
	// A replica may have put them back in the instant before its right was gone.
	if err := o.deleteAll(ctx, configurations()); err != nil {
		return err
	}
	rest := append(o.rest(objects), made()...)
	if err := o.deleteAll(ctx, rest); err != nil {
		return err
	}
	if o.Purge {
		// The namespace takes the seal key with it.
		return o.waitGone(ctx, append(only(objects, "Namespace"), only(objects, "CustomResourceDefinition")...))
	}
	return o.markUnenforced(ctx)
}

// rest returns what is left of an installation, what others need last.
func (o *Options) rest(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	var rest []*unstructured.Unstructured
	for _, object := range slices.Backward(objects) {
		kept := object.GetKind() == "CustomResourceDefinition" || object.GetKind() == "Namespace"
		done := object.GetKind() == "Deployment" || (object.GetKind() == "ClusterRoleBinding" && object.GetName() == registration)
		if done || (kept && !o.Purge) {
			continue
		}
		rest = append(rest, object)
	}
	return rest
}

func only(objects []*unstructured.Unstructured, kind string) []*unstructured.Unstructured {
	return slices.DeleteFunc(slices.Clone(objects), func(object *unstructured.Unstructured) bool { return object.GetKind() != kind })
}

// configurations that the webhook made.
func configurations() []*unstructured.Unstructured {
	return []*unstructured.Unstructured{
		object("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "", install.Name),
		object("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "", install.Name),
	}
}

// made lists what else the webhook made and nobody needs later. The seal key is not among it.
func made() []*unstructured.Unstructured {
	objects := []*unstructured.Unstructured{
		object("v1", "Secret", v1alpha1.SystemNamespace, "rune-webhook-cert"),
		object("coordination.k8s.io/v1", "Lease", v1alpha1.SystemNamespace, install.Name),
	}
	for n := range v1alpha1.VerdictShards {
		objects = append(objects, object("v1", "ConfigMap", v1alpha1.SystemNamespace, v1alpha1.VerdictConfigMap(n)))
	}
	return objects
}

func object(apiVersion, kind, namespace, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(apiVersion)
	o.SetKind(kind)
	o.SetNamespace(namespace)
	o.SetName(name)
	return o
}

// deleteAll deletes what exists and says so.
func (o *Options) deleteAll(ctx context.Context, objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		err := install.ClientOf(o.client, object).Delete(ctx, object.GetName(), metav1.DeleteOptions{
			// With the Deployment its pods: the webhook has ended when the Deployment is gone.
			PropagationPolicy: ptr.To(metav1.DeletePropagationForeground),
		})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("deleting %s: %w", install.TypeName(object), err)
		}
		fmt.Fprintf(o.Out, "%s deleted\n", install.TypeName(object))
	}
	return nil
}

func (o *Options) waitGone(ctx context.Context, objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		err := wait.PollUntilContextCancel(ctx, o.poll, true, func(ctx context.Context) (bool, error) {
			_, err := install.ClientOf(o.client, object).Get(ctx, object.GetName(), metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return true, nil
			}
			return false, err
		})
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return exit.With(exit.TimedOut, fmt.Errorf("waiting for %s to go: still there after %s: run uninstall again",
				install.TypeName(object), o.Timeout))
		}
		if err != nil {
			return fmt.Errorf("waiting for %s to go: %w", install.TypeName(object), err)
		}
	}
	return nil
}

// markUnenforced says in every Environment that is kept that nothing enforces it any more.
func (o *Options) markUnenforced(ctx context.Context) error {
	environments := o.client.Resource(v1alpha1.Resource("environments"))
	list, err := environments.List(ctx, metav1.ListOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("listing environments: %w", err)
	}
	for i := range list.Items {
		environment := &list.Items[i]
		if !enforced(environment) {
			continue
		}
		condition := map[string]any{
			"type":               v1alpha1.ConditionEnforced,
			"status":             string(metav1.ConditionFalse),
			"reason":             "Uninstalled",
			"message":            "the webhook was taken away: nothing is judged",
			"observedGeneration": environment.GetGeneration(),
			"lastTransitionTime": metav1.Now().UTC().Format("2006-01-02T15:04:05Z"),
		}
		status := map[string]any{"observedGeneration": environment.GetGeneration(), "conditions": []any{condition}}
		environment.Object["status"] = status
		if _, err := environments.UpdateStatus(ctx, environment, metav1.UpdateOptions{FieldManager: v1alpha1.FieldManager}); err != nil {
			return fmt.Errorf("writing the status of environment %q: %w", environment.GetName(), err)
		}
		fmt.Fprintf(o.ErrOut, "environment %q is no longer enforced\n", environment.GetName())
	}
	return nil
}

// enforced tells whether an Environment's status says that it is enforced, or says nothing.
func enforced(environment *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(environment.Object, "status", "conditions") //nolint:errcheck // absent is an answer
	for _, c := range conditions {
		condition, ok := c.(map[string]any)
		if ok && condition["type"] == v1alpha1.ConditionEnforced {
			return condition["status"] == string(metav1.ConditionTrue)
		}
	}
	return true
}
