package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/dynamic"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/apply"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

func (c *Cluster) rune(plural, namespace string) dynamic.ResourceInterface {
	if namespace == "" {
		return c.dynamic.Resource(v1alpha1.Resource(plural))
	}
	return c.dynamic.Resource(v1alpha1.Resource(plural)).Namespace(namespace)
}

func specOf(t release.Template) (map[string]any, error) {
	var value struct {
		Spec map[string]any `json:"spec"`
	}
	if err := utiljson.Unmarshal(t.Raw, &value); err != nil {
		return nil, fmt.Errorf("decoding pod template: %w", err)
	}
	return value.Spec, nil
}

// GetRelease implements engine.Journal.
func (c *Cluster) GetRelease(ctx context.Context, namespace, name string) (*engine.Release, error) {
	u, err := c.rune("releases", namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return releaseOf(u)
}

// UpdateStatus implements engine.Journal.
func (c *Cluster) UpdateStatus(ctx context.Context, r *engine.Release) (*engine.Release, error) {
	body, err := json.Marshal([]map[string]any{
		{"op": "test", "path": "/metadata/uid", "value": r.UID},
		{"op": "test", "path": "/metadata/resourceVersion", "value": r.ResourceVersion},
		{"op": "add", "path": "/status", "value": r.Status},
	})
	if err != nil {
		return nil, fmt.Errorf("encoding the status of release %q: %w", r.Name, err)
	}
	u, err := c.rune("releases", r.Namespace).Patch(ctx, r.Name, types.JSONPatchType, body, metav1.PatchOptions{FieldManager: apply.FieldManager}, "status")
	if err != nil {
		return nil, conflict(ctx, err, c.rune("releases", r.Namespace), v1alpha1.Resource("releases").GroupResource(), r)
	}
	return releaseOf(u)
}

// ListReleases implements engine.Requests. A Release that cannot be read is left out with a warning,
// unless it may be one of the workload's that has not ended: that is an *engine.UnreadableError.
func (c *Cluster) ListReleases(ctx context.Context, namespace, workload string) ([]v1alpha1.Release, error) {
	items, err := c.rune("releases", namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	// Not by label: a Release made by other tools may lack ours.
	var own []v1alpha1.Release
	for _, r := range list[v1alpha1.Release](c, items, func(u *unstructured.Unstructured, cause error) {
		if workload != "" && mayBeOf(u, workload) && !hasEnded(u) {
			err = &engine.UnreadableError{Namespace: namespace, Name: u.GetName(), Workload: workload, Cause: cause}
		}
	}) {
		if workload == "" || r.Spec.Workload.Name == workload {
			own = append(own, r)
		}
	}
	return own, err
}

// CreateRelease implements engine.Requests.
func (c *Cluster) CreateRelease(ctx context.Context, r *engine.Release, w engine.Write) (*engine.Release, error) {
	u, err := stored(&r.Release)
	if err != nil {
		return nil, err
	}
	delete(u.Object, "status")
	if err := setTemplate(u, r.From, "spec", "from"); err != nil {
		return nil, err
	}
	if err := setTemplate(u, r.To, "spec", "to"); err != nil {
		return nil, err
	}
	answer, err := c.rune("releases", r.Namespace).Create(ctx, u, metav1.CreateOptions{DryRun: dryRun(w), FieldManager: apply.FieldManager})
	if err != nil {
		return nil, err
	}
	return releaseOf(answer)
}

// RequestAbort implements engine.Requests.
func (c *Cluster) RequestAbort(ctx context.Context, r *v1alpha1.Release, reason string) error {
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid":         r.UID,
		"annotations": map[string]string{release.AnnotationAbort: reason},
	}})
	if err != nil {
		return fmt.Errorf("encoding the abort of release %q: %w", r.Name, err)
	}
	_, err = c.rune("releases", r.Namespace).Patch(ctx, r.Name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: apply.FieldManager})
	return err
}

// TakenNames implements engine.Requests.
func (c *Cluster) TakenNames(ctx context.Context, namespace, prefix string) ([]string, error) {
	var names []string
	add := func(name string) {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	releases, err := c.rune("releases", namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for i := range releases.Items {
		add(releases.Items[i].GetName())
	}
	// Whoever may not list these finds a taken name when creating the object of that name.
	if items, err := c.deployments(namespace).List(ctx, metav1.ListOptions{}); err == nil {
		for i := range items.Items {
			add(items.Items[i].GetName())
		}
	}
	if items, err := c.clients.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{}); err == nil {
		for i := range items.Items {
			add(items.Items[i].Name)
		}
	}
	return names, nil
}

// GetEnvironment implements engine.Consent.
func (c *Cluster) GetEnvironment(ctx context.Context, name string) (*v1alpha1.Environment, error) {
	u, err := c.rune("environments", "").Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return typed[v1alpha1.Environment](u)
}

// ListApprovals implements engine.Consent.
func (c *Cluster) ListApprovals(ctx context.Context, namespace string) ([]v1alpha1.Approval, error) {
	items, err := c.rune("approvals", namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	return list[v1alpha1.Approval](c, items, nil), nil
}
