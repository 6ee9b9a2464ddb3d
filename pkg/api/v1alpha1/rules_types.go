package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Rules of an environment.
type Rules struct {
	// Images: where images come from and how they are named.
	// +optional
	Images *ImageRules `json:"images,omitempty"`
	// Signatures requires that every image satisfies an ImagePolicy of this environment.
	// +optional
	Signatures *SignatureRules `json:"signatures,omitempty"`
	// PodSecurity requires a level of the Pod Security Standards.
	// +optional
	PodSecurity *PodSecurityRules `json:"podSecurity,omitempty"`
	// Resources that containers and pods must declare, and their bounds.
	// +optional
	Resources *ResourceRules `json:"resources,omitempty"`
	// Probes that containers must have.
	// +optional
	Probes *ProbeRules `json:"probes,omitempty"`
	// Availability: how many pods a workload must have, and that evictions are bounded.
	// +optional
	Availability *AvailabilityRules `json:"availability,omitempty"`
	// ServiceAccount: whether pods get a token for the API server.
	// +optional
	ServiceAccount *ServiceAccountRules `json:"serviceAccount,omitempty"`
	// Metadata that pods must carry.
	// +optional
	Metadata *MetadataRules `json:"metadata,omitempty"`
	// Approval by other people before a pod template enters.
	// +optional
	Approval *ApprovalRules `json:"approval,omitempty"`
	// Access: only those who hold the RBAC verb deploy on this Environment may change what runs here.
	// +optional
	Access *AccessRules `json:"access,omitempty"`
	// Custom rules in CEL.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Custom []CustomRule `json:"custom,omitempty"`
	// Exemptions bounds what an Exemption of this environment may ask for.
	// +optional
	Exemptions *ExemptionRules `json:"exemptions,omitempty"`
}

// RuleEnforcement is the part that all rules share.
type RuleEnforcement struct {
	// Enforcement of this rule; without it the environment's counts.
	// +optional
	Enforcement Enforcement `json:"enforcement,omitempty"`
}

// Pin says where tags are replaced by digests.
// +kubebuilder:validation:Enum=Never;Pods;Workloads
type Pin string

// Where tags are replaced by the digests that were verified.
const (
	// PinNever leaves references as they are.
	PinNever Pin = "Never"
	// PinPods writes the digest into Pods; workloads keep the tag that their author wrote.
	PinPods Pin = "Pods"
	// PinWorkloads writes the digest into the pod templates of workloads too.
	PinWorkloads Pin = "Workloads"
)

// Permission allows or denies something as a whole.
// +kubebuilder:validation:Enum=Allow;Deny
type Permission string

// The two permissions.
const (
	PermissionAllow Permission = "Allow"
	PermissionDeny  Permission = "Deny"
)

// ImageRules say where images come from and how they are named.
type ImageRules struct {
	RuleEnforcement `json:",inline"`
	// Registries that images may come from, as globs over normalised repositories (lower-case host, docker.io
	// spelled out, without tag and digest): "*" matches within one path segment, "**" across segments. A host
	// alone allows all of that registry. Without entries every registry is allowed.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	Registries []string `json:"registries,omitempty"`
	// DenyTags lists tags that no image may have, with a digest beside them or not. An image without tag and
	// digest has the tag "latest".
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`
	DenyTags []string `json:"denyTags,omitempty"`
	// Pin replaces tags by digests. A Pod whose image has no digest is refused unless Pin is Never.
	// +optional
	// +kubebuilder:default=Pods
	Pin Pin `json:"pin,omitempty"`
	// Volumes: whether pods may mount images as volumes.
	// +optional
	// +kubebuilder:default=Allow
	Volumes Permission `json:"volumes,omitempty"`
}

// SignatureRules require signed images. Which keys count is said by the ImagePolicies that name the environment.
type SignatureRules struct {
	RuleEnforcement `json:",inline"`
}

// PodSecurityLevel is a level of the Pod Security Standards.
// +kubebuilder:validation:Enum=privileged;baseline;restricted
type PodSecurityLevel string

// PodSecurityRules require a level of the Pod Security Standards, judged by k8s.io/pod-security-admission.
type PodSecurityRules struct {
	RuleEnforcement `json:",inline"`
	// +required
	Level PodSecurityLevel `json:"level"`
	// Version of the standards: "latest" or "v1.NN".
	// +optional
	// +kubebuilder:default=latest
	// +kubebuilder:validation:Pattern=`^(latest|v1\.[0-9]{1,3})$`
	Version string `json:"version,omitempty"`
	// Defaults fills in the fields that the level restricted demands and that a Pod leaves unset: runAsNonRoot,
	// seccompProfile, allowPrivilegeEscalation and dropped capabilities. What a Pod sets is never changed.
	// +optional
	Defaults bool `json:"defaults,omitempty"`
}

// ApprovalRules ask for the consent of people other than the requester.
type ApprovalRules struct {
	RuleEnforcement `json:",inline"`
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

// AccessRules ask for the RBAC verb deploy on environments.rune.runeframeos.com/NAME of whoever changes a
// workload here. Built-in controllers that make what a judged owner asks for are not asked.
type AccessRules struct {
	RuleEnforcement `json:",inline"`
}

// CustomRule is an expression that must hold.
type CustomRule struct {
	RuleEnforcement `json:",inline"`
	// Name of the rule; reports show it as "custom/NAME".
	// +required
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`
	// Expression in CEL, of type bool, with the libraries and the cost limit of a ValidatingAdmissionPolicy.
	// Variables: object is the whole object; template its pod template (a Pod itself), so that one expression
	// fits all kinds; environment is the name of the Environment.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Expression string `json:"expression"`
	// Message for people where the expression is false.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message"`
	// Field below the pod template that reports point to: "spec.priorityClassName".
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Field string `json:"field,omitempty"`
}

// ExemptionRules bound the Exemptions of an environment.
type ExemptionRules struct {
	// MaxValidity is the longest time from its creation after which an Exemption must expire.
	// +optional
	// +kubebuilder:default="720h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}(\.[0-9]{1,9})?h)?([0-9]{1,6}(\.[0-9]{1,9})?m)?([0-9]{1,8}(\.[0-9]{1,9})?s)?([0-9]{1,9}(\.[0-9]{1,6})?ms)?$`
	MaxValidity *metav1.Duration `json:"maxValidity,omitempty"`
}
