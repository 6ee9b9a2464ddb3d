package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// Action is the command that asked for a release.
// +kubebuilder:validation:Enum=Canary;Promote;Rollback
type Action string

// The actions.
const (
	ActionCanary   Action = "Canary"
	ActionPromote  Action = "Promote"
	ActionRollback Action = "Rollback"
)

// Release is one attempt to bring a workload to a new pod template or back to an old one: the change
// request, the journal and the record at once.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,shortName=rel,categories=rune
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Workload",type=string,JSONPath=`.spec.workload.name`
// +kubebuilder:printcolumn:name="Action",type=string,JSONPath=`.spec.action`
// +kubebuilder:printcolumn:name="Strategy",type=string,JSONPath=`.spec.strategy`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Requested-By",type=string,JSONPath=`.spec.requestedBy.username`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Release struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a Release's spec is immutable: it is what was requested and approved"
	Spec ReleaseSpec `json:"spec"`
	// +optional
	Status ReleaseStatus `json:"status,omitempty"`
}

// WorkloadReference names the workload of a release in the release's own namespace.
type WorkloadReference struct {
	// +required
	// +kubebuilder:validation:Enum=Deployment
	Kind string `json:"kind"`
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// UID of the workload when the release was requested; empty where the release creates it.
	// +optional
	UID types.UID `json:"uid,omitempty"`
}

// Identity is a user as the API server authenticated it.
type Identity struct {
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Username string `json:"username,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	UID string `json:"uid,omitempty"`
}

// ReleaseSpec is what was requested. It is immutable.
type ReleaseSpec struct {
	// Action is the command that asked for the release.
	// +required
	Action Action `json:"action"`
	// Environment whose rules and delivery settings the release follows; empty outside all environments.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Environment string `json:"environment,omitempty"`
	// +required
	Workload WorkloadReference `json:"workload"`
	// +required
	Strategy Strategy `json:"strategy"`
	// From is the pod template that the workload had when the release was requested. In an environment
	// the webhook stamps it from the live object. Absent where the release creates the workload.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	From *corev1.PodTemplateSpec `json:"from,omitempty"`
	// To is the wanted pod template as the API server returned it from a dry run: defaulted and mutated.
	// +required
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	To corev1.PodTemplateSpec `json:"to"`
	// Manifest is the whole workload, only where the release creates it.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Manifest *runtime.RawExtension `json:"manifest,omitempty"`
	// Delivery is the plan, frozen when the release was requested.
	// +optional
	Delivery Delivery `json:"delivery,omitempty"`
	// Reason for the release, for people.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
	// RequestedBy is stamped by the webhook from the API server's userInfo; what a client writes here is replaced.
	// +optional
	RequestedBy Identity `json:"requestedBy,omitempty"`
	// Seal is the webhook's keyed hash over the release; without a valid one the release approves nothing.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Seal string `json:"seal,omitempty"`
}

// Phase is a release's state in one word, for people and printers.
// +kubebuilder:validation:Enum=Pending;AwaitingApproval;Progressing;Aborting;Succeeded;RolledBack;Stopped
type Phase string

// The phases.
const (
	// PhasePending: recorded, nothing changed yet.
	PhasePending Phase = "Pending"
	// PhaseAwaitingApproval: nothing changed yet, another person has to approve.
	PhaseAwaitingApproval Phase = "AwaitingApproval"
	// PhaseProgressing: steps are being applied.
	PhaseProgressing Phase = "Progressing"
	// PhaseAborting: applied steps are being reverted.
	PhaseAborting Phase = "Aborting"
	// PhaseSucceeded: the workload has the new template.
	PhaseSucceeded Phase = "Succeeded"
	// PhaseRolledBack: the workload is as it was before.
	PhaseRolledBack Phase = "RolledBack"
	// PhaseStopped: the workload was changed by another hand; a person has to choose the way out.
	PhaseStopped Phase = "Stopped"
)

// Condition types of a Release.
const (
	ConditionApproved    = "Approved"
	ConditionProgressing = "Progressing"
	ConditionSucceeded   = "Succeeded"
	ConditionRolledBack  = "RolledBack"
)

// StepState is how far one step is.
// +kubebuilder:validation:Enum=Pending;Running;Done;Failed;Reverting;Reverted
type StepState string

// The states of a step.
const (
	StepPending   StepState = "Pending"
	StepRunning   StepState = "Running"
	StepDone      StepState = "Done"
	StepFailed    StepState = "Failed"
	StepReverting StepState = "Reverting"
	StepReverted  StepState = "Reverted"
)

// StepStatus is the journal of one step.
type StepStatus struct {
	// Name is unique within the release: "set-weight-10".
	Name string `json:"name"`
	// State is written before the step's first mutation (Running) and after its last (Done, Failed, Reverted).
	State StepState `json:"state"`
	// +optional
	StartedAt *metav1.MicroTime `json:"startedAt,omitempty"`
	// +optional
	FinishedAt *metav1.MicroTime `json:"finishedAt,omitempty"`
	// Message says what was done or why it failed.
	// +optional
	Message string `json:"message,omitempty"`
}

// Originals are the values of the user's fields before the release touched them.
type Originals struct {
	// Replicas of the workload.
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`
	// ReleaseAnnotation is the workload's former annotation rune.runeframeos.com/release; nil where it had none.
	// +optional
	ReleaseAnnotation *string `json:"releaseAnnotation,omitempty"`
	// ManagedFields of the workload, as JSON, to give ownership back.
	// +optional
	ManagedFields string `json:"managedFields,omitempty"`
}

// OwnedObject is an object that Rune made for a release and removes after it.
type OwnedObject struct {
	Kind string    `json:"kind"`
	Name string    `json:"name"`
	UID  types.UID `json:"uid"`
}

// Weight is a share of traffic in percent, wanted and as the ready pods give it.
type Weight struct {
	Wanted int32 `json:"wanted"`
	Actual int32 `json:"actual"`
}

// ReleaseStatus is the journal. No admission decision reads it: whoever drives may write it.
type ReleaseStatus struct {
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// +optional
	Phase Phase `json:"phase,omitempty"`
	// Message is the newest fact in one line.
	// +optional
	Message string `json:"message,omitempty"`
	// Driver is the identity of the process that last held the release's Lease.
	// +optional
	Driver string `json:"driver,omitempty"`
	// +optional
	StartedAt *metav1.MicroTime `json:"startedAt,omitempty"`
	// +optional
	FinishedAt *metav1.MicroTime `json:"finishedAt,omitempty"`
	// +optional
	Weight *Weight `json:"weight,omitempty"`
	// +optional
	// +listType=map
	// +listMapKey=name
	Steps []StepStatus `json:"steps,omitempty"`
	// +optional
	Originals *Originals `json:"originals,omitempty"`
	// Objects that the release made.
	// +optional
	// +listType=atomic
	Objects []OwnedObject `json:"objects,omitempty"`
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ReleaseList is a list of Releases.
//
// +kubebuilder:object:root=true
type ReleaseList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Release `json:"items"`
}

// Ended tells whether nothing is left to do for the release.
func (r *Release) Ended() bool {
	return r.Status.Phase == PhaseSucceeded || r.Status.Phase == PhaseRolledBack
}
