package connect

import (
	"context"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// Resize changes a Deployment's replicas and tells what they were. Where an autoscaler owns them, or
// may own them because the caller cannot know, they are left alone and autoscaled is true.
func (c *Connection) Resize(ctx context.Context, namespace, name string, replicas int32) (was int32, autoscaled bool, err error) {
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		live, err := c.Deployment(ctx, namespace, name)
		if err != nil {
			return err
		}
		if was = release.Replicas(live); was == replicas {
			return nil
		}
		if autoscaled, err = c.autoscaled(ctx, live); err != nil || autoscaled {
			return err
		}
		return c.resize(ctx, live, replicas)
	})
	if err != nil {
		return was, autoscaled, fmt.Errorf("scaling deployment %q: %w", name, err)
	}
	return was, autoscaled, nil
}

func (c *Connection) resize(ctx context.Context, live *appsv1.Deployment, replicas int32) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": live.ResourceVersion},
		"spec":     map[string]any{"replicas": replicas},
	})
	if err != nil {
		return err
	}
	_, err = c.Kube.AppsV1().Deployments(live.Namespace).
		Patch(ctx, live.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: v1alpha1.FieldManager})
	return err
}

func (c *Connection) autoscaled(ctx context.Context, live *appsv1.Deployment) (bool, error) {
	scaler, err := c.autoscaler(ctx, live.Namespace, live.Name)
	if apierrors.IsForbidden(err) {
		return true, nil
	}
	return scaler != nil, err
}

// autoscaler returns the HorizontalPodAutoscaler of a Deployment, nil where it has none.
func (c *Connection) autoscaler(ctx context.Context, namespace, name string) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	scalers, err := c.Kube.AutoscalingV2().HorizontalPodAutoscalers(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing autoscalers: %w", err)
	}
	for i := range scalers.Items {
		if target := scalers.Items[i].Spec.ScaleTargetRef; target.Kind == "Deployment" && target.Name == name {
			return &scalers.Items[i], nil
		}
	}
	return nil, nil
}

// Rescale sets the bounds of a Deployment's autoscaler and returns its name; empty where the Deployment has
// none or they are as wanted.
func (c *Connection) Rescale(ctx context.Context, namespace, name string, wanted v1alpha1.ScalingSettings) (changed string, err error) {
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		changed = ""
		live, err := c.autoscaler(ctx, namespace, name)
		if err != nil || live == nil {
			return err
		}
		if live.Spec.MinReplicas != nil && *live.Spec.MinReplicas == wanted.MinReplicas && live.Spec.MaxReplicas == wanted.MaxReplicas {
			return nil
		}
		patch, err := json.Marshal(map[string]any{
			"metadata": map[string]any{"resourceVersion": live.ResourceVersion},
			"spec":     map[string]any{"minReplicas": wanted.MinReplicas, "maxReplicas": wanted.MaxReplicas},
		})
		if err != nil {
			return err
		}
		changed = live.Name
		_, err = c.Kube.AutoscalingV2().HorizontalPodAutoscalers(namespace).
			Patch(ctx, live.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: v1alpha1.FieldManager})
		return err
	})
	if err != nil {
		return "", fmt.Errorf("setting the bounds of the autoscaler of deployment %q: %w", name, err)
	}
	return changed, nil
}
