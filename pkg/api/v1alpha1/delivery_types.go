package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Strategy is the way a new pod template is brought to a workload.
// +kubebuilder:validation:Enum=Canary;Rolling;Create
type Strategy string

// The strategies.
const (
	// StrategyCanary runs the new template beside the old one, in steps of growing weight, and finishes by adoption.
	StrategyCanary Strategy = "Canary"
	// StrategyRolling changes the template under the Deployment's own strategy.
	StrategyRolling Strategy = "Rolling"
	// StrategyCreate creates a workload that does not exist yet. It is chosen by promote, never written by a user.
	StrategyCreate Strategy = "Create"
)

// Delivery is how a workload is released and how a release is judged. A file given with --plan has this schema.
type Delivery struct {
	// Strategy that promote takes for a workload that exists already.
	// +optional
	// +kubebuilder:default=Canary
	// +kubebuilder:validation:Enum=Canary;Rolling
	Strategy Strategy `json:"strategy,omitempty"`
	// Canary holds the steps of the strategy Canary.
	// +optional
	Canary *CanaryPlan `json:"canary,omitempty"`
	// SmokeTests are sent to pods with the new template, through the API server's service proxy.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	SmokeTests []SmokeTest `json:"smokeTests,omitempty"`
	// Deadline of the whole release, from the start of driving, waiting for approval not included. A release
	// that has not ended by then is taken back.
	// +optional
	// +kubebuilder:default="30m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}(\.[0-9]{1,9})?h)?([0-9]{1,6}(\.[0-9]{1,9})?m)?([0-9]{1,8}(\.[0-9]{1,9})?s)?([0-9]{1,9}(\.[0-9]{1,6})?ms)?$`
	Deadline *metav1.Duration `json:"deadline,omitempty"`
}

// CanaryPlan is the list of steps of a canary.
type CanaryPlan struct {
	// Steps in order. After the last one the release takes all traffic and finishes.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Steps []CanaryStep `json:"steps"`
}

// CanaryStep is either a weight or a pause.
//
// +kubebuilder:validation:XValidation:rule="has(self.setWeight) != has(self.pause)",message="a step is either setWeight or pause"
type CanaryStep struct {
	// SetWeight is the wanted share of traffic of the new template, in percent.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	SetWeight *int32 `json:"setWeight,omitempty"`
	// Pause is a time during which the new pods are watched.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}(\.[0-9]{1,9})?h)?([0-9]{1,6}(\.[0-9]{1,9})?m)?([0-9]{1,8}(\.[0-9]{1,9})?s)?([0-9]{1,9}(\.[0-9]{1,6})?ms)?$`
	Pause *metav1.Duration `json:"pause,omitempty"`
}

// SmokeTest is one HTTP GET whose answer is judged by its status.
type SmokeTest struct {
	// Name of the test, as messages show it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// Path with an optional query, from the root: "/health".
	// +required
	// +kubebuilder:validation:Pattern=`^/`
	// +kubebuilder:validation:MaxLength=1024
	Path string `json:"path"`
	// Port of the container: a name or a number. Without it, the only or first declared container port.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Port string `json:"port,omitempty"`
	// ExpectStatus is the HTTP status that passes.
	// +optional
	// +kubebuilder:default=200
	// +kubebuilder:validation:Minimum=100
	// +kubebuilder:validation:Maximum=599
	ExpectStatus int32 `json:"expectStatus,omitempty"`
	// Timeout of one request.
	// +optional
	// +kubebuilder:default="10s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^([0-9]{1,5}(\.[0-9]{1,9})?h)?([0-9]{1,6}(\.[0-9]{1,9})?m)?([0-9]{1,8}(\.[0-9]{1,9})?s)?([0-9]{1,9}(\.[0-9]{1,6})?ms)?$`
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// Requests sent per run of the test; all must pass. More than one finds faults that show only now and then.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Requests int32 `json:"requests,omitempty"`
}
