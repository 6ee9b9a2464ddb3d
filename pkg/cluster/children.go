package cluster

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/runeframeos/kubectl-rune/pkg/apply"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

func matching(selector *metav1.LabelSelector) (metav1.ListOptions, error) {
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return metav1.ListOptions{}, fmt.Errorf("reading a label selector: %w", err)
	}
	return metav1.ListOptions{LabelSelector: s.String()}, nil
}

// ListReplicaSets implements engine.Children.
func (c *Cluster) ListReplicaSets(ctx context.Context, namespace string, selector *metav1.LabelSelector) ([]appsv1.ReplicaSet, error) {
	options, err := matching(selector)
	if err != nil {
		return nil, err
	}
	list, err := c.clients.AppsV1().ReplicaSets(namespace).List(ctx, options)
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// ListPods implements engine.Children.
func (c *Cluster) ListPods(ctx context.Context, namespace string, selector *metav1.LabelSelector) ([]corev1.Pod, error) {
	options, err := matching(selector)
	if err != nil {
		return nil, err
	}
	list, err := c.clients.CoreV1().Pods(namespace).List(ctx, options)
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// TryPod implements engine.Children.
func (c *Cluster) TryPod(ctx context.Context, namespace, name string, t release.Template) (*corev1.Pod, error) {
	u, err := stored(release.TrialPod(namespace, name, &t.Typed))
	if err != nil {
		return nil, err
	}
	spec, err := specOf(t)
	if err != nil {
		return nil, err
	}
	u.Object["spec"] = spec
	answer, err := c.dynamic.Resource(corev1.SchemeGroupVersion.WithResource("pods")).Namespace(namespace).
		Create(ctx, u, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: apply.FieldManager})
	if err != nil {
		return nil, err
	}
	return typed[corev1.Pod](answer)
}

// Autoscaled implements engine.Children.
func (c *Cluster) Autoscaled(ctx context.Context, namespace, name string) (bool, error) {
	list, err := c.clients.AutoscalingV2().HorizontalPodAutoscalers(namespace).List(ctx, metav1.ListOptions{})
	if apierrors.IsForbidden(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	for i := range list.Items {
		if t := list.Items[i].Spec.ScaleTargetRef; t.Kind == "Deployment" && t.Name == name {
			return true, nil
		}
	}
	return false, nil
}

// DeleteReplicaSet implements engine.History.
func (c *Cluster) DeleteReplicaSet(ctx context.Context, namespace, name string, d engine.Deletion) error {
	return c.clients.AppsV1().ReplicaSets(namespace).Delete(ctx, name, deletion(d))
}

// GetService implements engine.Services.
func (c *Cluster) GetService(ctx context.Context, namespace, name string) (*corev1.Service, error) {
	return c.clients.CoreV1().Services(namespace).Get(ctx, name, metav1.GetOptions{})
}

// CreateService implements engine.Services.
func (c *Cluster) CreateService(ctx context.Context, s *corev1.Service) (*corev1.Service, error) {
	return c.clients.CoreV1().Services(s.Namespace).Create(ctx, s, metav1.CreateOptions{FieldManager: apply.FieldManager})
}

// DeleteService implements engine.Services.
func (c *Cluster) DeleteService(ctx context.Context, namespace, name string, d engine.Deletion) error {
	return c.clients.CoreV1().Services(namespace).Delete(ctx, name, deletion(d))
}
