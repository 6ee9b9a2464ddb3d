package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Enforcement says what a violated rule does to a request.
// +kubebuilder:validation:Enum=Enforce;Warn;Audit
type Enforcement string

// The three degrees of enforcement.
const (
	// EnforcementEnforce denies the request.
	EnforcementEnforce Enforcement = "Enforce"
	// EnforcementWarn admits the request and returns the violations as warnings.
	EnforcementWarn Enforcement = "Warn"
	// EnforcementAudit admits the request and records the violations in the audit annotations only.
	EnforcementAudit Enforcement = "Audit"
)

// Environment is one place of the delivery pipeline: the namespaces it covers, what may enter them, how
// large workloads are there and how they are released.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=env,categories=rune
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Namespaces",type=string,JSONPath=`.spec.namespaces`
// +kubebuilder:printcolumn:name="Promotes-From",type=string,JSONPath=`.spec.promotesFrom`
// +kubebuilder:printcolumn:name="Enforcement",type=string,JSONPath=`.spec.enforcement`
// +kubebuilder:printcolumn:name="Enforced",type=string,JSONPath=`.status.conditions[?(@.type=="Enforced")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Environment struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec EnvironmentSpec `json:"spec"`
	// +optional
	Status EnvironmentStatus `json:"status,omitempty"`
}

// EnvironmentSpec is what an organisation decides about an environment.
//
// +kubebuilder:validation:XValidation:rule="!has(self.rules) || !has(self.rules.signatures) || !has(self.rules.images) || self.rules.images.pin != 'Never'",message="rules.signatures needs rules.images.pin other than Never: what was verified must be what runs"
type EnvironmentSpec struct {
	// Purpose is one line for people.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Purpose string `json:"purpose,omitempty"`

	// Namespaces of this environment, by name, so that relabelling a namespace cannot take it out.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:XValidation:rule="self.all(n, !(n in ['kube-system', 'kube-public', 'kube-node-lease', 'rune-system']))",message="system namespaces (kube-system, kube-public, kube-node-lease, rune-system) cannot be part of an environment"
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Namespaces []string `json:"namespaces"`

	// PromotesFrom names the Environment whose running digests `kubectl rune promote` brings here.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	PromotesFrom string `json:"promotesFrom,omitempty"`

	// Enforcement of all rules of this environment.
	// +optional
	// +kubebuilder:default=Enforce
	Enforcement Enforcement `json:"enforcement,omitempty"`

	// Rules that every object with pods must keep here. A rule that is absent is not asked.
	// +optional
	Rules Rules `json:"rules,omitempty"`

	// Workload is the size that promote gives a workload here.
	// +optional
	Workload *WorkloadSettings `json:"workload,omitempty"`

	// Delivery is how a workload is released here when the command does not say otherwise.
	// +optional
	Delivery *Delivery `json:"delivery,omitempty"`
}

// Rules of an environment.
type Rules struct {
	// Images: how image references must look.
	// +optional
	Images *ImageRules `json:"images,omitempty"`
	// Signatures requires that every image satisfies an ImagePolicy of this environment.
	// +optional
	Signatures *SignatureRules `json:"signatures,omitempty"`
	// PodSecurity requires a level of the Pod Security Standards.
	// +optional
	PodSecurity *PodSecurityRules `json:"podSecurity,omitempty"`
	// Resources that every container must declare.
	// +optional
	Resources *ResourceRules `json:"resources,omitempty"`
	// Approval by other people before a pod template enters.
	// +optional
	Approval *ApprovalRules `json:"approval,omitempty"`
}

// Pin says where tags are replaced by digests.
// +kubebuilder:validation:Enum=Never;Pods
type Pin string

// Where tags are replaced by the digests that were verified.
const (
	// PinNever leaves references as they are.
	PinNever Pin = "Never"
	// PinPods writes the digest into Pods; workloads keep the tag that their author wrote.
	PinPods Pin = "Pods"
)

// ImageRules say how image references must look.
type ImageRules struct {
	// Pin replaces tags by digests. A Pod whose image has no digest is refused unless Pin is Never.
	// +optional
	// +kubebuilder:default=Pods
	Pin Pin `json:"pin,omitempty"`
}

// SignatureRules require signed images. Which keys count is said by the ImagePolicies that name the environment.
type SignatureRules struct{}

// PodSecurityLevel is a level of the Pod Security Standards.
// +kubebuilder:validation:Enum=privileged;baseline;restricted
type PodSecurityLevel string

// PodSecurityRules require a level of the Pod Security Standards, judged by k8s.io/pod-security-admission.
type PodSecurityRules struct {
	// +required
	Level PodSecurityLevel `json:"level"`
	// Version of the standards: "latest" or "v1.NN".
	// +optional
	// +kubebuilder:default=latest
	// +kubebuilder:validation:Pattern=`^(latest|v1\.[0-9]{1,3})$`
	Version string `json:"version,omitempty"`
}

// ResourceField is the path of a quantity below a container's resources.
// +kubebuilder:validation:Enum=requests.cpu;requests.memory;limits.cpu;limits.memory
type ResourceField string

// ResourceRules say which quantities every container must declare.
type ResourceRules struct {
	// Require lists the fields below a container's resources that must be set. As Kubernetes does, a
	// limit without a request counts as a request.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	Require []ResourceField `json:"require"`
}

// RollbackApproval says whether going back to a template that the workload has run needs approval.
// +kubebuilder:validation:Enum=None;Required
type RollbackApproval string

// Whether a rollback needs approval.
const (
	// RollbackApprovalNone admits a template that equals one of the workload's own ReplicaSets.
	RollbackApprovalNone RollbackApproval = "None"
	// RollbackApprovalRequired treats a rollback like any other change.
	RollbackApprovalRequired RollbackApproval = "Required"
)

// ApprovalRules ask for the consent of people other than the requester.
type ApprovalRules struct {
	// MinApprovals is the number of different people who must approve.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10
	MinApprovals int32 `json:"minApprovals,omitempty"`

	// SeparateRequester refuses the approval of whoever requested the release.
	// +optional
	// +kubebuilder:default=true
	SeparateRequester *bool `json:"separateRequester,omitempty"`

	// ValidFor is how long an approval counts.
	// +optional
	// +kubebuilder:default="24h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}(\.[0-9]{1,9})?h)?([0-9]{1,6}(\.[0-9]{1,9})?m)?([0-9]{1,8}(\.[0-9]{1,9})?s)?([0-9]{1,9}(\.[0-9]{1,6})?ms)?$`
	ValidFor *metav1.Duration `json:"validFor,omitempty"`

	// Rollback says whether going back to a template that the workload has run needs approval.
	// +optional
	// +kubebuilder:default=Required
	Rollback RollbackApproval `json:"rollback,omitempty"`

	// ServiceAccounts that may approve, as "namespace/name". All others are refused: approval is for people.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	ServiceAccounts []string `json:"serviceAccounts,omitempty"`
}

// WorkloadSettings are the size of a workload in an environment, applied by promote.
type WorkloadSettings struct {
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10000
	Replicas *int32 `json:"replicas,omitempty"`
	// Resources set on every container that a promotion brings; quantities that are absent here stay as they are.
	// +optional
	Resources *ResourceSettings `json:"resources,omitempty"`
}

// ResourceSettings are requests and limits without the claims that a pod's own declaration may hold.
type ResourceSettings struct {
	// +optional
	Requests corev1.ResourceList `json:"requests,omitempty"`
	// +optional
	Limits corev1.ResourceList `json:"limits,omitempty"`
}

// Condition types of an Environment.
const (
	// ConditionEnforced is True once the API server sends this environment's requests to the webhook.
	ConditionEnforced = "Enforced"
)

// EnvironmentStatus is what the webhook observed.
type EnvironmentStatus struct {
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// EnvironmentList is a list of Environments.
//
// +kubebuilder:object:root=true
type EnvironmentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Environment `json:"items"`
}

// HasNamespace tells whether the environment covers a namespace.
func (e *Environment) HasNamespace(namespace string) bool {
	for _, n := range e.Spec.Namespaces {
		if n == namespace {
			return true
		}
	}
	return false
}

// Owner returns the Environment that a namespace belongs to: of those that name it the oldest, and of two
// equally old ones the first by name. It is nil where none names it.
func Owner(environments []Environment, namespace string) *Environment {
	var owner *Environment
	for i := range environments {
		if e := &environments[i]; e.HasNamespace(namespace) && (owner == nil || e.OlderThan(owner)) {
			owner = e
		}
	}
	return owner
}

// OlderThan orders Environments by their creation, and those of one second by name.
func (e *Environment) OlderThan(other *Environment) bool {
	if !e.CreationTimestamp.Equal(&other.CreationTimestamp) {
		return e.CreationTimestamp.Before(&other.CreationTimestamp)
	}
	return e.Name < other.Name
}
