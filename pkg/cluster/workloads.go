package cluster

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/runeframeos/kubectl-rune/pkg/apply"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
)

func deployments() schema.GroupVersionResource {
	return appsv1.SchemeGroupVersion.WithResource("deployments")
}

func (c *Cluster) deployments(namespace string) dynamic.ResourceInterface {
	return c.dynamic.Resource(deployments()).Namespace(namespace)
}

func dryRun(w engine.Write) []string {
	if w.DryRun {
		return []string{metav1.DryRunAll}
	}
	return nil
}

// GetDeployment implements engine.Workloads.
func (c *Cluster) GetDeployment(ctx context.Context, namespace, name string) (*engine.Deployment, error) {
	u, err := c.deployments(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return deployment(u)
}

// CreateDeployment implements engine.Workloads.
func (c *Cluster) CreateDeployment(ctx context.Context, d *engine.Deployment, w engine.Write) (*engine.Deployment, error) {
	object := d.Deployment.DeepCopy()
	object.TypeMeta = metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "Deployment"}
	u, err := stored(object)
	if err != nil {
		return nil, err
	}
	if err := setTemplate(u, d.Template, "spec", "template"); err != nil {
		return nil, err
	}
	answer, err := c.deployments(d.Namespace).Create(ctx, u, metav1.CreateOptions{DryRun: dryRun(w), FieldManager: apply.FieldManager})
	if err != nil {
		return nil, err
	}
	return deployment(answer)
}

// PatchDeployment implements engine.Workloads. A failed precondition is a conflict.
func (c *Cluster) PatchDeployment(ctx context.Context, live *engine.Deployment, change engine.Change, w engine.Write) (*engine.Deployment, error) {
	kind, body := types.JSONPatchType, []byte(nil)
	var err error
	if change.Edit != nil {
		name := ""
		if change.Annotation != nil {
			name = *change.Annotation
		}
		kind = types.StrategicMergePatchType
		body, err = apply.Edit(&live.Deployment, change.Edit, name)
	} else {
		body, err = jsonPatch(live, change)
	}
	if err != nil {
		return nil, err
	}
	answer, err := c.deployments(live.Namespace).Patch(ctx, live.Name, kind, body, metav1.PatchOptions{DryRun: dryRun(w), FieldManager: apply.FieldManager})
	if err != nil {
		return nil, conflict(ctx, err, c.deployments(live.Namespace), deployments().GroupResource(), live)
	}
	return deployment(answer)
}

func jsonPatch(live *engine.Deployment, change engine.Change) ([]byte, error) {
	c := apply.Change{Replicas: change.Replicas, Paused: change.Paused, Release: change.Annotation, Disown: change.Disown}
	if change.Template != nil {
		c.Template = change.Template.Raw
	}
	if change.GiveBack != nil {
		fields, err := apply.GiveBack(live.ManagedFields, change.GiveBack)
		if err != nil {
			return nil, err
		}
		c.ManagedFields = fields
	}
	return apply.Deployment(&live.Deployment, c)
}

// DeleteDeployment implements engine.Workloads.
func (c *Cluster) DeleteDeployment(ctx context.Context, namespace, name string, d engine.Deletion) error {
	return c.deployments(namespace).Delete(ctx, name, deletion(d))
}

func deletion(d engine.Deletion) metav1.DeleteOptions {
	options := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{}}
	if d.UID != "" {
		options.Preconditions.UID = &d.UID
	}
	if d.ResourceVersion != "" {
		options.Preconditions.ResourceVersion = &d.ResourceVersion
	}
	if d.Propagation != "" {
		options.PropagationPolicy = &d.Propagation
	}
	return options
}
