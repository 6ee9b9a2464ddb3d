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
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Enforced")].reason`
// +kubebuilder:printcolumn:name="Purpose",type=string,priority=1,JSONPath=`.spec.purpose`
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
// +kubebuilder:validation:XValidation:rule="(has(self.namespaces) && size(self.namespaces) > 0) || (has(self.namespaceSelector) && ((has(self.namespaceSelector.matchLabels) && size(self.namespaceSelector.matchLabels) > 0) || (has(self.namespaceSelector.matchExpressions) && size(self.namespaceSelector.matchExpressions) > 0)))",message="an environment needs namespaces or a namespaceSelector that is not empty"
type EnvironmentSpec struct {
	// Purpose is one line for people.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Purpose string `json:"purpose,omitempty"`

	// Namespaces of this environment, by name, so that relabelling a namespace cannot take it out.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:XValidation:rule="self.all(n, !(n in ['kube-system', 'kube-public', 'kube-node-lease', 'rune-system']))",message="system namespaces (kube-system, kube-public, kube-node-lease, rune-system) cannot be part of an environment"
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Namespaces []string `json:"namespaces,omitempty"`

	// NamespaceSelector adds all namespaces whose labels match, also those that are created later. An empty
	// one adds none. Whoever relabels a namespace out of the environment needs the right to update this
	// Environment. A namespace that any Environment lists by name belongs to that one.
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`

	// PromotesFrom names the Environment whose running digests `kubectl rune promote` brings here.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	PromotesFrom string `json:"promotesFrom,omitempty"`

	// AutoDeploy lets promote bring a release here without asking whoever runs it.
	// +optional
	AutoDeploy bool `json:"autoDeploy,omitempty"`

	// Enforcement of all rules of this environment; a rule may name its own.
	// +optional
	// +kubebuilder:default=Enforce
	Enforcement Enforcement `json:"enforcement,omitempty"`

	// Rules that every object with pods must keep here. A rule that is absent is not asked.
	// +optional
	Rules Rules `json:"rules,omitempty"`

	// WorkloadKinds declares kinds of CustomResourceDefinitions that hold a pod template, so that they are
	// judged like a Deployment.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	WorkloadKinds []WorkloadKind `json:"workloadKinds,omitempty"`

	// NamespaceSettings are what each namespace of the environment must hold. `kubectl rune audit` reports what
	// is missing, `kubectl rune env apply` creates it.
	// +optional
	NamespaceSettings *NamespaceSettings `json:"namespaceSettings,omitempty"`

	// Workload is the size that promote gives a workload here.
	// +optional
	Workload *WorkloadSettings `json:"workload,omitempty"`

	// Delivery is how a workload is released here when the command does not say otherwise.
	// +optional
	Delivery *Delivery `json:"delivery,omitempty"`
}

// WorkloadSettings are the size of a workload in an environment, applied by promote.
type WorkloadSettings struct {
	// Replicas that a workload without an autoscaler gets.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10000
	Replicas *int32 `json:"replicas,omitempty"`
	// Resources set on every container that a promotion brings; quantities that are absent here stay as they are.
	// +optional
	Resources *ResourceSettings `json:"resources,omitempty"`
	// Scaling set on the HorizontalPodAutoscaler of a workload that a promotion brings, where it has one.
	// +optional
	Scaling *ScalingSettings `json:"scaling,omitempty"`
}

// ScalingSettings bound an autoscaler.
//
// +kubebuilder:validation:XValidation:rule="self.minReplicas <= self.maxReplicas",message="minReplicas must not be above maxReplicas"
type ScalingSettings struct {
	// MinReplicas of the autoscaler.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MinReplicas int32 `json:"minReplicas"`
	// MaxReplicas of the autoscaler.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MaxReplicas int32 `json:"maxReplicas"`
}

// ResourceSettings are requests and limits without the claims that a pod's own declaration may hold.
type ResourceSettings struct {
	// Requests by resource.
	// +optional
	Requests corev1.ResourceList `json:"requests,omitempty"`
	// Limits by resource.
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
