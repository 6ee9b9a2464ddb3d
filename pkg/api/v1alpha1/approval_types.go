package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Approval is one person's consent to one Release. It can be created and deleted, never changed.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,categories=rune
// +kubebuilder:printcolumn:name="Release",type=string,JSONPath=`.spec.release.name`
// +kubebuilder:printcolumn:name="Approver",type=string,JSONPath=`.spec.approver.username`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Approval struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="an Approval is immutable: delete it to withdraw it"
	Spec ApprovalSpec `json:"spec"`
}

// ReleaseReference names one Release of the same namespace and no later one of the same name.
type ReleaseReference struct {
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// +required
	UID types.UID `json:"uid"`
}

// ApprovalSpec names the Release and may comment; all other fields are stamped by the webhook.
type ApprovalSpec struct {
	// +required
	Release ReleaseReference `json:"release"`
	// Comment for people.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Comment string `json:"comment,omitempty"`
	// Approver is stamped from the API server's userInfo.
	// +optional
	Approver Identity `json:"approver,omitempty"`
	// ApprovedAt is stamped by the webhook.
	// +optional
	ApprovedAt *metav1.Time `json:"approvedAt,omitempty"`
	// TemplateHash of the Release's spec.to that was approved; stamped by the webhook.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	TemplateHash string `json:"templateHash,omitempty"`
	// Seal is the webhook's keyed hash over the approval; without a valid one the approval is absent.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Seal string `json:"seal,omitempty"`
}

// ApprovalList is a list of Approvals.
//
// +kubebuilder:object:root=true
type ApprovalList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Approval `json:"items"`
}
