package engine_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/engine"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

func copyRelease(r *engine.Release) *engine.Release {
	return &engine.Release{Release: *r.DeepCopy(), From: r.From, To: r.To}
}

func (c *client) GetRelease(_ context.Context, _, name string) (out *engine.Release, err error) {
	err = c.call("get release", func() error {
		r, ok := c.releases[name]
		if !ok {
			return notFound("releases", name)
		}
		out = copyRelease(r)
		return nil
	})
	return out, err
}

func (c *client) UpdateStatus(_ context.Context, r *engine.Release) (out *engine.Release, err error) {
	err = c.call("update release", func() error {
		stored, ok := c.releases[r.Name]
		switch {
		case !ok:
			return notFound("releases", r.Name)
		case stored.ResourceVersion != r.ResourceVersion:
			return conflict("releases", r.Name)
		}
		r.Status.DeepCopyInto(&stored.Status)
		c.stamp(stored)
		out = copyRelease(stored)
		return nil
	})
	return out, err
}

func (c *client) ListReleases(_ context.Context, _, workload string) (out []v1alpha1.Release, err error) {
	err = c.call("list releases", func() error {
		for _, r := range c.releases {
			if r.Spec.Workload.Name == workload {
				out = append(out, *r.DeepCopy())
			}
		}
		return nil
	})
	return out, err
}

func (c *client) CreateRelease(_ context.Context, r *engine.Release, w engine.Write) (out *engine.Release, err error) {
	err = c.call("create release", func() error {
		if _, ok := c.releases[r.Name]; ok {
			return exists("releases", r.Name)
		}
		stored := copyRelease(r)
		stored.Status = v1alpha1.ReleaseStatus{}
		if err := c.refuseTags(stored); err != nil {
			return err
		}
		c.stamp(stored)
		if !w.DryRun {
			c.releases[r.Name] = stored
		}
		out = copyRelease(stored)
		return nil
	})
	return out, err
}

// refuseTags is the webhook's: an approval covers no image without a digest.
func (c *client) refuseTags(r *engine.Release) error {
	if c.environment == nil || c.environment.Spec.Rules.Approval == nil || r.Spec.Environment == "" {
		return nil
	}
	if r.Spec.Action == v1alpha1.ActionRollback && c.environment.Spec.Rules.Approval.Rollback == v1alpha1.RollbackApprovalNone {
		return nil
	}
	for _, container := range r.Spec.To.Spec.Containers {
		if !strings.Contains(container.Image, "@") {
			err := apierrors.NewForbidden(schema.GroupResource{Resource: "releases"}, r.Name, errors.New("x"))
			err.ErrStatus.Message = `admission webhook "production.rune" denied the request: spec.to: image "` + container.Image + `" has no digest`
			return err
		}
	}
	return nil
}

func (c *client) RequestAbort(_ context.Context, r *v1alpha1.Release, reason string) error {
	return c.call("request abort", func() error {
		c.markAbort(r.Name, reason)
		return nil
	})
}

// markAbort is the abort as another process asks for it.
func (m *model) markAbort(name, reason string) {
	r := m.releases[name]
	metav1.SetMetaDataAnnotation(&r.ObjectMeta, release.AnnotationAbort, reason)
	m.stamp(r)
}

func (c *client) TakenNames(_ context.Context, _, prefix string) (out []string, err error) {
	err = c.call("list names", func() error {
		for name := range c.releases {
			if strings.HasPrefix(name, prefix) {
				out = append(out, name)
			}
		}
		for name := range c.deployments {
			if strings.HasPrefix(name, prefix) {
				out = append(out, name)
			}
		}
		return nil
	})
	return out, err
}

func (c *client) GetEnvironment(_ context.Context, name string) (out *v1alpha1.Environment, err error) {
	err = c.call("get environment", func() error {
		if c.environment == nil {
			return notFound("environments", name)
		}
		out = c.environment
		return nil
	})
	return out, err
}

func (c *client) ListApprovals(context.Context, string) (out []v1alpha1.Approval, err error) {
	err = c.call("list approvals", func() error {
		out = c.approvals
		return nil
	})
	return out, err
}

func (c *client) Missing(_ context.Context, rights []engine.Right) (out []engine.Right, err error) {
	err = c.call("ask for rights", func() error {
		for _, r := range rights {
			for _, m := range c.missing {
				if r.Verb == m.Verb && r.Resource == m.Resource && r.Subresource == m.Subresource {
					out = append(out, r)
				}
			}
		}
		return nil
	})
	return out, err
}

func (c *client) Installed(context.Context) (installed bool, err error) {
	err = c.call("ask for kinds", func() error {
		installed = !c.uninstalled
		return nil
	})
	return installed, err
}

func (c *client) GetLease(_ context.Context, _, name string) (out *coordinationv1.Lease, err error) {
	err = c.call("get lease", func() error {
		l, ok := c.leases[name]
		if !ok {
			return notFound("leases", name)
		}
		out = l.DeepCopy()
		return nil
	})
	return out, err
}

func (c *client) CreateLease(_ context.Context, l *coordinationv1.Lease) (out *coordinationv1.Lease, err error) {
	err = c.call("create lease", func() error {
		if _, ok := c.leases[l.Name]; ok {
			return exists("leases", l.Name)
		}
		stored := l.DeepCopy()
		c.stamp(stored)
		c.leases[l.Name] = stored
		out = stored.DeepCopy()
		return nil
	})
	return out, err
}

func (c *client) UpdateLease(_ context.Context, l *coordinationv1.Lease) (out *coordinationv1.Lease, err error) {
	err = c.call("update lease", func() error {
		stored, ok := c.leases[l.Name]
		switch {
		case !ok:
			return notFound("leases", l.Name)
		case stored.ResourceVersion != l.ResourceVersion:
			return conflict("leases", l.Name)
		}
		next := l.DeepCopy()
		c.stamp(next)
		c.leases[l.Name] = next
		out = next.DeepCopy()
		return nil
	})
	return out, err
}

func (c *client) DeleteLease(_ context.Context, _, name string, d engine.Deletion) error {
	return c.call("delete lease", func() error {
		stored, ok := c.leases[name]
		switch {
		case !ok:
			return notFound("leases", name)
		case stored.ResourceVersion != d.ResourceVersion:
			return conflict("leases", name)
		}
		delete(c.leases, name)
		return nil
	})
}

func (c *client) ListReplicaSets(_ context.Context, _ string, selector *metav1.LabelSelector) (out []appsv1.ReplicaSet, err error) {
	err = c.call("list replicasets", func() error {
		for _, s := range c.sets {
			if matches(selector, s.Labels) {
				out = append(out, *s.DeepCopy())
			}
		}
		return nil
	})
	return out, err
}

func (c *client) DeleteReplicaSet(_ context.Context, _, name string, d engine.Deletion) error {
	return c.call("delete replicaset "+name, func() error {
		s, ok := c.sets[name]
		switch {
		case !ok:
			return notFound("replicasets", name)
		case s.UID != d.UID || s.ResourceVersion != d.ResourceVersion:
			return conflict("replicasets", name)
		}
		delete(c.sets, name)
		c.version++
		return nil
	})
}

func (c *client) ListPods(_ context.Context, _ string, selector *metav1.LabelSelector) (out []corev1.Pod, err error) {
	err = c.call("list pods", func() error {
		for _, p := range c.pods {
			if matches(selector, p.Labels) {
				out = append(out, *p.DeepCopy())
			}
		}
		return nil
	})
	return out, err
}

// TryPod answers with a Pod whose images the webhook pinned, where the environment has it pin.
func (c *client) TryPod(_ context.Context, ns, name string, t release.Template) (out *corev1.Pod, err error) {
	err = c.call("try pod", func() error {
		out = release.TrialPod(ns, name, &t.Typed)
		if c.environment == nil || c.environment.Spec.Rules.Signatures == nil {
			return nil
		}
		for i := range out.Spec.Containers {
			if image := &out.Spec.Containers[i].Image; !strings.Contains(*image, "@") {
				*image += digestOf(*image)
			}
		}
		return nil
	})
	return out, err
}

// digestOf is the digest that the model's registry has for a tag.
func digestOf(image string) string {
	return fmt.Sprintf("@sha256:%x", sha256.Sum256([]byte(image)))
}

func (c *client) Autoscaled(context.Context, string, string) (out bool, err error) {
	err = c.call("list autoscalers", func() error {
		out = c.autoscaled
		return nil
	})
	return out, err
}

// Get answers as the pods behind a Service would: 500 where their image is a bad one.
func (c *client) Get(_ context.Context, p engine.Probe) (code int, err error) {
	err = c.call("probe", func() error {
		s, ok := c.services[p.Service]
		if !ok {
			return notFound("services", p.Service)
		}
		for _, pod := range c.pods {
			if !matches(&metav1.LabelSelector{MatchLabels: s.Spec.Selector}, pod.Labels) || !ready(pod) {
				continue
			}
			code = 200
			if strings.HasSuffix(pod.Spec.Containers[0].Image, "bad") {
				code = 500
			}
			return nil
		}
		return engine.ErrNoEndpoints
	})
	return code, err
}
