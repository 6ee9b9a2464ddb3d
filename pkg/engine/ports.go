package engine

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/release"
)

// Ports are the engine's ways into the cluster. All of them return the errors of
// k8s.io/apimachinery/pkg/api/errors, read live and never from a cache.
type Ports struct {
	Workloads Workloads
	Children  Children
	History   History
	Services  Services
	Journal   Journal
	Requests  Requests
	Consent   Consent
	Access    Access
	Leases    Leases
	Prober    Prober
}

// Deployment is a Deployment with its template as it stands in storage. Where it is written, Template
// is what is sent.
type Deployment struct {
	appsv1.Deployment
	Template release.Template
}

// Release is a Release with its templates as they stand in storage. From is empty where the release
// creates the workload.
type Release struct {
	v1alpha1.Release
	From, To release.Template
}

// Change is what a patch does to a Deployment; nil fields stay as they are.
type Change struct {
	// Template replaces the pod template.
	Template *release.Template
	// Edit is a strategic merge patch of the Deployment made from typed objects, for a dry run: fields
	// that this program does not know stay in place.
	Edit json.RawMessage
	// Replicas is the wanted size.
	Replicas *int32
	// Paused stops or resumes the Deployment's rollouts.
	Paused *bool
	// Annotation is the new value of the annotation that names the Release; empty removes it.
	Annotation *string
	// GiveBack returns the fields that Rune owns to the owners that they had, which are these managed
	// fields as JSON. What others came to own meanwhile stays theirs.
	GiveBack json.RawMessage
	// Disown removes the owner reference with this UID.
	Disown types.UID
}

// Write says how a write is sent.
type Write struct {
	// DryRun lets the API server judge and default the write without storing it.
	DryRun bool
}

// Deletion says how an object is deleted. UID and ResourceVersion are preconditions.
type Deletion struct {
	UID             types.UID
	ResourceVersion string
	Propagation     metav1.DeletionPropagation
}

// Workloads reads and writes Deployments.
type Workloads interface {
	GetDeployment(ctx context.Context, namespace, name string) (*Deployment, error)
	CreateDeployment(ctx context.Context, d *Deployment, w Write) (*Deployment, error)
	// PatchDeployment writes a change on condition that the Deployment still has live's
	// resourceVersion, and returns what the API server stored.
	PatchDeployment(ctx context.Context, live *Deployment, c Change, w Write) (*Deployment, error)
	DeleteDeployment(ctx context.Context, namespace, name string, d Deletion) error
}

// Children reads what a Deployment makes, and tries Pods.
type Children interface {
	ListReplicaSets(ctx context.Context, namespace string, selector *metav1.LabelSelector) ([]appsv1.ReplicaSet, error)
	ListPods(ctx context.Context, namespace string, selector *metav1.LabelSelector) ([]corev1.Pod, error)
	// TryPod dry-runs the creation of a Pod with a template's metadata and spec, and returns the Pod as
	// admission made it.
	TryPod(ctx context.Context, namespace, name string, template release.Template) (*corev1.Pod, error)
	// Autoscaled tells whether a HorizontalPodAutoscaler owns the size of a Deployment. Where the
	// caller may not know, it is true: the size is then never touched.
	Autoscaled(ctx context.Context, namespace, deployment string) (bool, error)
}

// History removes a revision from a Deployment's history.
type History interface {
	DeleteReplicaSet(ctx context.Context, namespace, name string, d Deletion) error
}

// Services makes and removes preview Services.
type Services interface {
	GetService(ctx context.Context, namespace, name string) (*corev1.Service, error)
	CreateService(ctx context.Context, s *corev1.Service) (*corev1.Service, error)
	DeleteService(ctx context.Context, namespace, name string, d Deletion) error
}

// Journal stores how far a release is.
type Journal interface {
	GetRelease(ctx context.Context, namespace, name string) (*Release, error)
	// UpdateStatus replaces the status on condition that the resourceVersion is still the same.
	UpdateStatus(ctx context.Context, r *Release) (*Release, error)
}

// Requests records what is asked for.
type Requests interface {
	// ListReleases returns the Releases of one workload, in no particular order.
	ListReleases(ctx context.Context, namespace, workload string) ([]v1alpha1.Release, error)
	CreateRelease(ctx context.Context, r *Release, w Write) (*Release, error)
	// RequestAbort writes the annotation that asks the driver of a release to take it back.
	RequestAbort(ctx context.Context, r *v1alpha1.Release, reason string) error
	// TakenNames returns the names that begin with a prefix of Releases, Deployments and Services.
	TakenNames(ctx context.Context, namespace, prefix string) ([]string, error)
}

// Consent reads what other people must agree to and have agreed to.
type Consent interface {
	GetEnvironment(ctx context.Context, name string) (*v1alpha1.Environment, error)
	ListApprovals(ctx context.Context, namespace string) ([]v1alpha1.Approval, error)
}

// Right is one thing that the caller must be allowed to do.
type Right struct {
	Verb, Group, Resource, Subresource, Name, Namespace string
}

// Access answers what the caller may do here.
type Access interface {
	// Missing returns those of the rights that the caller does not have, in the order given.
	Missing(ctx context.Context, rights []Right) ([]Right, error)
	// Installed tells whether the API server serves Rune's kinds.
	Installed(ctx context.Context) (bool, error)
}

// Leases keeps a second driver out.
type Leases interface {
	GetLease(ctx context.Context, namespace, name string) (*coordinationv1.Lease, error)
	CreateLease(ctx context.Context, l *coordinationv1.Lease) (*coordinationv1.Lease, error)
	UpdateLease(ctx context.Context, l *coordinationv1.Lease) (*coordinationv1.Lease, error)
	DeleteLease(ctx context.Context, namespace, name string, d Deletion) error
}

// ErrNoEndpoints is what a Prober returns while a Service has no ready pod behind it.
var ErrNoEndpoints = errors.New("the Service has no ready endpoints")

// Probe is one HTTP GET through the API server's service proxy.
type Probe struct {
	Namespace, Service string
	Port               int32
	// Path with an optional query, from the root.
	Path    string
	Timeout time.Duration
}

// Prober sends probes.
type Prober interface {
	// Get returns the HTTP status of the pod's answer; an error means that no pod answered.
	Get(ctx context.Context, p Probe) (int, error)
}
