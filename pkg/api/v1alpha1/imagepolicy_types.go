package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ImagePolicy says which images need which proof of origin.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=imgpol,categories=rune
// +kubebuilder:printcolumn:name="Images",type=string,JSONPath=`.spec.images`
// +kubebuilder:printcolumn:name="Environments",type=string,JSONPath=`.spec.environments`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ImagePolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec ImagePolicySpec `json:"spec"`
}

// ImagePolicySpec is the proof that matching images need.
type ImagePolicySpec struct {
	// Images are globs over normalised repositories (lower-case host, docker.io spelled out, without tag and
	// digest): "*" matches within one path segment, "**" across segments.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	Images []string `json:"images"`

	// Environments in which the policy counts.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Environments []string `json:"environments"`

	// Authorities of which any one must have signed.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Authorities []Authority `json:"authorities"`
}

// Authority is one signer that is trusted.
type Authority struct {
	// Name of the signer, as messages show it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// Key is a public key that cosign signed with.
	// +required
	Key KeyAuthority `json:"key"`
}

// KeyAuthority is a cosign public key.
type KeyAuthority struct {
	// Data is the key in PEM form.
	// +required
	// +kubebuilder:validation:MaxLength=16384
	// +kubebuilder:validation:XValidation:rule="self.contains('-----BEGIN PUBLIC KEY-----')",message="must be a PEM block PUBLIC KEY, as in cosign.pub"
	Data string `json:"data"`
}

// ImagePolicyList is a list of ImagePolicies.
//
// +kubebuilder:object:root=true
type ImagePolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ImagePolicy `json:"items"`
}
