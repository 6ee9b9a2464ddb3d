package promote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/cli/connect"
	"github.com/runeframeos/kubectl-rune/pkg/cli/delivery"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
)

// request makes the engine's request: a change of the deployment in the target, or its creation.
func (o *Options) request(ctx context.Context, source *running, target *v1alpha1.Environment, namespace string, plan v1alpha1.Delivery) (*engine.Request, error) {
	request := &engine.Request{
		Namespace: namespace, Workload: o.Workload, Environment: target.Name,
		Action: v1alpha1.ActionPromote, Strategy: plan.Strategy, Delivery: plan,
		Reason: o.Common.Reason, DryRun: o.Common.ServerDryRun(),
	}
	if source.deployment.Namespace == namespace {
		return nil, fmt.Errorf("namespace %q is part of both environments: there is nothing to bring anywhere", namespace)
	}
	live, err := o.connection.Deployment(ctx, namespace, o.Workload)
	var missing *connect.Missing
	switch {
	case errors.As(err, &missing):
		request.Strategy = v1alpha1.StrategyCreate
		request.Manifest, err = manifest(source, target.Spec.Workload, namespace)
		return request, err
	case err != nil:
		return nil, err
	}
	if err := sameContainers(&source.deployment.Spec.Template, &live.Spec.Template); err != nil {
		return nil, fmt.Errorf("deployment %q differs between environment %q (namespace %s) and namespace %s of %s: %w",
			o.Workload, o.sourceName(target), source.deployment.Namespace, namespace, target.Name, err)
	}
	request.Edit = func(template *corev1.PodTemplateSpec) error {
		edit(template, source.images, target.Spec.Workload)
		return nil
	}
	return request, delivery.Fits(&plan, plan.Strategy)
}

func (o *Options) sourceName(target *v1alpha1.Environment) string {
	if o.From != "" {
		return o.From
	}
	return target.Spec.PromotesFrom
}

// sameContainers refuses to guess which image belongs where.
func sameContainers(source, target *corev1.PodTemplateSpec) error {
	there, here := namesOf(source), namesOf(target)
	var parts []string
	if only := without(there, here); len(only) > 0 {
		parts = append(parts, fmt.Sprintf("only the source has %s", strings.Join(only, ", ")))
	}
	if only := without(here, there); len(only) > 0 {
		parts = append(parts, fmt.Sprintf("only the target has %s", strings.Join(only, ", ")))
	}
	if len(parts) > 0 {
		return fmt.Errorf("%s: bring the containers in line first", strings.Join(parts, ", "))
	}
	return nil
}

// namesOf tells containers from init containers of the same name.
func namesOf(template *corev1.PodTemplateSpec) []string {
	var names []string
	for _, c := range template.Spec.InitContainers {
		names = append(names, fmt.Sprintf("init container %q", c.Name))
	}
	for _, c := range template.Spec.Containers {
		names = append(names, fmt.Sprintf("container %q", c.Name))
	}
	sort.Strings(names)
	return names
}

func without(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(others, name) })
}

// edit gives a template the images of the source and the resources of the target environment.
func edit(template *corev1.PodTemplateSpec, images map[string]string, settings *v1alpha1.WorkloadSettings) {
	for _, list := range [][]corev1.Container{template.Spec.InitContainers, template.Spec.Containers} {
		for i := range list {
			list[i].Image = images[list[i].Name]
			if settings != nil && settings.Resources != nil {
				list[i].Resources.Requests = merged(list[i].Resources.Requests, settings.Resources.Requests)
				list[i].Resources.Limits = merged(list[i].Resources.Limits, settings.Resources.Limits)
			}
		}
	}
}

func merged(current, wanted corev1.ResourceList) corev1.ResourceList {
	if len(wanted) == 0 {
		return current
	}
	result := current.DeepCopy()
	if result == nil {
		result = corev1.ResourceList{}
	}
	for name, quantity := range wanted {
		result[name] = quantity
	}
	return result
}

// Annotations of the source that mean nothing in another namespace.
const (
	annotationLastApplied = "kubectl.kubernetes.io/last-applied-configuration"
	annotationRevision    = "deployment.kubernetes.io/revision"
)

// manifest is the source's Deployment for another namespace: without status, without what servers and
// Rune wrote, at the target's size.
func manifest(source *running, settings *v1alpha1.WorkloadSettings, namespace string) (json.RawMessage, error) {
	from := source.deployment
	created := &appsv1.Deployment{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{
			Name: from.Name, Namespace: namespace, Labels: clean(from.Labels), Annotations: clean(from.Annotations),
		},
		Spec: *from.Spec.DeepCopy(),
	}
	edit(&created.Spec.Template, source.images, settings)
	created.Spec.Template.Annotations = clean(created.Spec.Template.Annotations)
	if settings != nil && settings.Replicas != nil {
		created.Spec.Replicas = settings.Replicas
	}
	return compact(created)
}

// compact encodes a Deployment without its status and without the creation time that encoding adds.
func compact(deployment *appsv1.Deployment) (json.RawMessage, error) {
	raw, err := json.Marshal(deployment)
	if err != nil {
		return nil, fmt.Errorf("encoding the manifest of deployment %q: %w", deployment.Name, err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, fmt.Errorf("encoding the manifest of deployment %q: %w", deployment.Name, err)
	}
	delete(fields, "status")
	return json.Marshal(fields)
}

// clean drops labels and annotations that controllers, kubectl and Rune wrote.
func clean(values map[string]string) map[string]string {
	kept := map[string]string{}
	for key, value := range values {
		prefix, _, _ := strings.Cut(key, "/")
		ours := prefix == v1alpha1.GroupName || strings.HasSuffix(prefix, "."+v1alpha1.GroupName)
		if ours || key == annotationLastApplied || key == annotationRevision || key == "kubectl.kubernetes.io/restartedAt" {
			continue
		}
		kept[key] = value
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}
