package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// Missing says that a named object does not exist, where it was looked for, and how to list those
// that do.
type Missing struct {
	// Type as kubectl writes it: "deployment".
	Type string
	Name string
	// Namespace is empty for cluster-scoped kinds.
	Namespace string
	// Err is the API server's answer.
	Err error
}

// Error implements error.
func (m *Missing) Error() string {
	if m.Namespace == "" {
		return fmt.Sprintf("%s %q does not exist: `kubectl get %ss` lists those that do", m.Type, m.Name, m.Type)
	}
	return fmt.Sprintf("%s %q does not exist in namespace %q: `kubectl get %ss -n %s` lists those that do",
		m.Type, m.Name, m.Namespace, m.Type, m.Namespace)
}

// Unwrap gives the API server's answer.
func (m *Missing) Unwrap() error { return m.Err }

// Deployment reads one Deployment. A *Missing error tells that there is none.
func (c *Connection) Deployment(ctx context.Context, namespace, name string) (*appsv1.Deployment, error) {
	found, err := c.Kube.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, &Missing{Type: "deployment", Name: name, Namespace: namespace, Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("reading deployment %q: %w", name, err)
	}
	return found, nil
}

// ReplicaSets lists the ReplicaSets that a Deployment's selector matches: its own, and during a
// release those of the canary.
func (c *Connection) ReplicaSets(ctx context.Context, deployment *appsv1.Deployment) ([]appsv1.ReplicaSet, error) {
	selector, err := metav1.LabelSelectorAsSelector(deployment.Spec.Selector)
	if err != nil {
		return nil, fmt.Errorf("reading selector of deployment %q: %w", deployment.Name, err)
	}
	list, err := c.Kube.AppsV1().ReplicaSets(deployment.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
	if err != nil {
		return nil, fmt.Errorf("listing replica sets of deployment %q: %w", deployment.Name, err)
	}
	return list.Items, nil
}

// Lease reads the lock of a workload's driver; nil where there never was one.
func (c *Connection) Lease(ctx context.Context, namespace, workload string) (*coordinationv1.Lease, error) {
	name := release.LeaseName(workload)
	found, err := c.Kube.CoordinationV1().Leases(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading lease %q: %w", name, err)
	}
	return found, nil
}

// Release reads one Release. A *Missing error tells that there is none.
func (c *Connection) Release(ctx context.Context, namespace, name string) (*v1alpha1.Release, error) {
	found, _, err := c.StoredRelease(ctx, namespace, name)
	return found, err
}

// StoredRelease reads one Release, and as JSON with the fields that no Go type of this program knows. A
// *Missing error tells that there is none.
func (c *Connection) StoredRelease(ctx context.Context, namespace, name string) (*v1alpha1.Release, []byte, error) {
	answer := c.Rune.Get().Namespace(namespace).Resource("releases").Name(name).Do(ctx)
	// Error decodes what the API server says; Raw does not.
	err := answer.Error()
	if apierrors.IsNotFound(err) && !unserved(err) {
		return nil, nil, &Missing{Type: "release", Name: name, Namespace: namespace, Err: err}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading release %q: %w", name, err)
	}
	stored, err := answer.Raw()
	if err != nil {
		return nil, nil, fmt.Errorf("reading release %q: %w", name, err)
	}
	found := &v1alpha1.Release{}
	if err := json.Unmarshal(stored, found); err != nil {
		return nil, nil, fmt.Errorf("reading release %q: %w", name, err)
	}
	return found, stored, nil
}

// Releases lists the Releases of one workload, the newest first, without those that cannot be read.
func (c *Connection) Releases(ctx context.Context, namespace, workload string) ([]v1alpha1.Release, error) {
	releases, err := list[v1alpha1.Release](c.Rune.Get().Namespace(namespace).Resource("releases").
		Param("labelSelector", ofWorkload(workload)).Do(ctx), "release", c.unread)
	if err != nil {
		return nil, fmt.Errorf("listing releases of deployment %q: %w", workload, err)
	}
	sort.SliceStable(releases, func(i, j int) bool { return Newer(&releases[i], &releases[j]) })
	return releases, nil
}

// Newer orders Releases of one workload: by creation, then by the longer and greater name, because
// names end in a number that grows.
func Newer(a, b *v1alpha1.Release) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return b.CreationTimestamp.Before(&a.CreationTimestamp)
	}
	if len(a.Name) != len(b.Name) {
		return len(a.Name) > len(b.Name)
	}
	return a.Name > b.Name
}

// Approvals lists the Approvals of one Release, told from those of a former Release of the same name by UID.
func (c *Connection) Approvals(ctx context.Context, release *v1alpha1.Release) ([]v1alpha1.Approval, error) {
	approvals, err := list[v1alpha1.Approval](c.Rune.Get().Namespace(release.Namespace).Resource("approvals").
		Param("labelSelector", ofWorkload(release.Spec.Workload.Name)).Do(ctx), "approval", c.unread)
	if err != nil {
		return nil, fmt.Errorf("listing approvals of release %q: %w", release.Name, err)
	}
	var own []v1alpha1.Approval
	for _, approval := range approvals {
		if approval.Spec.Release.UID == release.UID {
			own = append(own, approval)
		}
	}
	return own, nil
}

// Environments lists all Environments, sorted by name as the API server does, without those that
// cannot be read.
func (c *Connection) Environments(ctx context.Context) ([]v1alpha1.Environment, error) {
	environments, err := list[v1alpha1.Environment](c.Rune.Get().Resource("environments").Do(ctx), "environment", c.unread)
	if err != nil {
		return nil, fmt.Errorf("listing environments: %w", err)
	}
	return environments, nil
}

// Username asks the API server for the caller's name.
func (c *Connection) Username(ctx context.Context) (string, error) {
	review, err := c.Kube.AuthenticationV1().SelfSubjectReviews().
		Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("asking the API server who is logged in: %w", err)
	}
	return review.Status.UserInfo.Username, nil
}

// EnvironmentNamed picks an Environment by name. A *Missing error tells that there is none.
func EnvironmentNamed(environments []v1alpha1.Environment, name string) (*v1alpha1.Environment, error) {
	for i := range environments {
		if environments[i].Name == name {
			return &environments[i], nil
		}
	}
	return nil, &Missing{Type: "environment", Name: name}
}

func ofWorkload(name string) string {
	return labels.Set{v1alpha1.LabelWorkload: name}.String()
}

// unserved tells a resource that the server does not know from an object that does not exist: both
// are answered by 404, but only the latter names the object.
func unserved(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	details := status.Status().Details
	return details == nil || details.Name == "" || len(details.Causes) > 0
}

// Pods lists the pods that a Deployment's selector matches.
func (c *Connection) Pods(ctx context.Context, deployment *appsv1.Deployment) ([]corev1.Pod, error) {
	selector, err := metav1.LabelSelectorAsSelector(deployment.Spec.Selector)
	if err != nil {
		return nil, fmt.Errorf("reading selector of deployment %q: %w", deployment.Name, err)
	}
	list, err := c.Kube.CoreV1().Pods(deployment.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
	if err != nil {
		return nil, fmt.Errorf("listing pods of deployment %q: %w", deployment.Name, err)
	}
	return list.Items, nil
}
