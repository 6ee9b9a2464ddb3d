package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ExemptRule is the id of a rule that an Exemption may lift. Approval and access are never lifted.
// +kubebuilder:validation:Pattern=`^(registries|tags|pin|imageVolumes|signatures|podSecurity|resources|probes|replicas|podDisruptionBudget|serviceAccountToken|labels|annotations|custom/[a-z0-9]([-a-z0-9]*[a-z0-9])?)$`
// +kubebuilder:validation:MaxLength=80
type ExemptRule string

// Exemption lets one workload break some rules of its environment for a bounded time. Only those who hold
// the RBAC verb exempt on the Environment may create one. It can be created and deleted, never changed.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,shortName=exempt,categories=rune
// +kubebuilder:printcolumn:name="Kind",type=string,JSONPath=`.spec.workload.kind`
// +kubebuilder:printcolumn:name="Workload",type=string,JSONPath=`.spec.workload.name`
// +kubebuilder:printcolumn:name="Rules",type=string,JSONPath=`.spec.rules`
// +kubebuilder:printcolumn:name="By",type=string,JSONPath=`.spec.createdBy.username`
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.spec.expiresAt`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.spec.reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Exemption struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="an Exemption is immutable: delete it and create another"
	Spec ExemptionSpec `json:"spec"`
}

// ExemptedWorkload names the object that an Exemption is for. Its pods are exempt too.
type ExemptedWorkload struct {
	// Kind: "Deployment", "Pod", or that of a declared workload kind.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`
	// Name of the workload, in the namespace of the Exemption.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// ExemptionSpec says what is lifted, for which workload, why and until when.
type ExemptionSpec struct {
	// Rules that are lifted, by id: "resources", "custom/NAME".
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Rules []ExemptRule `json:"rules"`
	// Workload that may break the rules.
	// +required
	Workload ExemptedWorkload `json:"workload"`
	// Images are the digests ("sha256:…") for which the Exemption counts: every image of the workload must be
	// named by one of them. Without any it counts for all images.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:Pattern=`^sha256:[a-f0-9]{64}$`
	Images []string `json:"images,omitempty"`
	// Reason for people.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason"`
	// ExpiresAt ends the Exemption. It must lie within rules.exemptions.maxValidity of the Environment (30 days
	// without one).
	// +required
	ExpiresAt metav1.Time `json:"expiresAt"`
	// CreatedBy is stamped from the API server's userInfo.
	// +optional
	CreatedBy Identity `json:"createdBy,omitempty"`
	// Environment that the namespace belonged to; stamped by the webhook.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Environment string `json:"environment,omitempty"`
	// Seal is the webhook's keyed hash over the Exemption; without a valid one it is absent.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Seal string `json:"seal,omitempty"`
}

// ExemptionList is a list of Exemptions.
//
// +kubebuilder:object:root=true
type ExemptionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Exemption `json:"items"`
}
