package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// ResourceField is the path of a quantity below a container's resources.
// +kubebuilder:validation:Enum=requests.cpu;requests.memory;requests.ephemeral-storage;limits.cpu;limits.memory;limits.ephemeral-storage
type ResourceField string

// ResourceRules say which quantities containers must declare and how large they may be. Quantities are
// judged as they take effect: a limit without a request is the request too.
type ResourceRules struct {
	RuleEnforcement `json:",inline"`
	// Require lists the fields below a container's resources that must be set.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=6
	Require []ResourceField `json:"require,omitempty"`
	// Min of the requests of each container.
	// +optional
	Min corev1.ResourceList `json:"min,omitempty"`
	// Max of the requests and limits of each container.
	// +optional
	Max corev1.ResourceList `json:"max,omitempty"`
	// Pod bounds what a pod as a whole requests and may use.
	// +optional
	Pod *PodResourceRules `json:"pod,omitempty"`
	// MaxLimitRequestRatio bounds limit / request of each container by resource: {memory: "1"} asks for equal ones.
	// +optional
	MaxLimitRequestRatio map[corev1.ResourceName]resource.Quantity `json:"maxLimitRequestRatio,omitempty"`
	// Defaults set in Pods on containers that leave a quantity unset. A default never contradicts what the
	// container sets: it is lowered or raised to keep request <= limit.
	// +optional
	Defaults *ResourceSettings `json:"defaults,omitempty"`
}

// PodResourceRules bound a pod's resources as the scheduler adds them up: ordinary containers and native
// sidecars together, or the largest init container where that is more, and the pod's overhead.
type PodResourceRules struct {
	// Min of the pod's requests.
	// +optional
	Min corev1.ResourceList `json:"min,omitempty"`
	// Max of the pod's requests and limits.
	// +optional
	Max corev1.ResourceList `json:"max,omitempty"`
}

// ProbeKind is one of a container's probes.
// +kubebuilder:validation:Enum=readiness;liveness;startup
type ProbeKind string

// The kinds of probes.
const (
	ProbeReadiness ProbeKind = "readiness"
	ProbeLiveness  ProbeKind = "liveness"
	ProbeStartup   ProbeKind = "startup"
)

// ProbeRules say which probes the ordinary containers of pods that run for ever (restartPolicy Always) must
// have. A liveness probe that equals the readiness probe is a warning.
type ProbeRules struct {
	RuleEnforcement `json:",inline"`
	// Require lists the kinds of probes.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=3
	Require []ProbeKind `json:"require,omitempty"`
	// Defaults set in Pods on containers that lack a probe of a kind and declare the port that it asks.
	// +optional
	Defaults *ProbeDefaults `json:"defaults,omitempty"`
}

// ProbeDefaults are probes for containers that have none.
type ProbeDefaults struct {
	// Readiness probe.
	// +optional
	Readiness *corev1.Probe `json:"readiness,omitempty"`
	// Liveness probe.
	// +optional
	Liveness *corev1.Probe `json:"liveness,omitempty"`
	// Startup probe.
	// +optional
	Startup *corev1.Probe `json:"startup,omitempty"`
}

// Necessity says whether something must be there.
// +kubebuilder:validation:Enum=Required;Optional
type Necessity string

// The two necessities.
const (
	NecessityRequired Necessity = "Required"
	NecessityOptional Necessity = "Optional"
)

// AvailabilityRules are for Deployments and StatefulSets. Scaling alone is never judged.
type AvailabilityRules struct {
	RuleEnforcement `json:",inline"`
	// MinReplicas of a workload; where a HorizontalPodAutoscaler owns its size, of that one's minReplicas.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MinReplicas int32 `json:"minReplicas,omitempty"`
	// PodDisruptionBudget: whether one must select the workload's pods and leave room for an eviction.
	// +optional
	// +kubebuilder:default=Optional
	PodDisruptionBudget Necessity `json:"podDisruptionBudget,omitempty"`
}

// TokenRule says which pods may get a token for the API server.
// +kubebuilder:validation:Enum=Allow;DenyDefault;Deny
type TokenRule string

// Which pods may get a token for the API server.
const (
	// TokenAllow lets every pod have one.
	TokenAllow TokenRule = "Allow"
	// TokenDenyDefault denies it to pods of the namespace's service account "default".
	TokenDenyDefault TokenRule = "DenyDefault"
	// TokenDeny denies it to all pods.
	TokenDeny TokenRule = "Deny"
)

// ServiceAccountRules say whether pods get a token for the API server.
type ServiceAccountRules struct {
	RuleEnforcement `json:",inline"`
	// Token: pods that are denied one must set automountServiceAccountToken: false and mount none by a volume.
	// +required
	Token TokenRule `json:"token"`
}

// MetadataRules list what pods, or the pod templates of workloads, must carry.
type MetadataRules struct {
	RuleEnforcement `json:",inline"`
	// Labels that must be there.
	// +optional
	// +listType=map
	// +listMapKey=key
	// +kubebuilder:validation:MaxItems=32
	Labels []RequiredMetadata `json:"labels,omitempty"`
	// Annotations that must be there.
	// +optional
	// +listType=map
	// +listMapKey=key
	// +kubebuilder:validation:MaxItems=32
	Annotations []RequiredMetadata `json:"annotations,omitempty"`
}

// RequiredMetadata is one label or annotation.
type RequiredMetadata struct {
	// Key of the label or annotation.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	Key string `json:"key"`
	// Pattern that the whole value must match, a regular expression (RE2). Without it any value that is not empty will do.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Pattern string `json:"pattern,omitempty"`
}

// WorkloadKind is a kind of a CustomResourceDefinition that holds a pod template.
type WorkloadKind struct {
	// Group of the API: "argoproj.io".
	// +required
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$`
	// +kubebuilder:validation:MaxLength=253
	Group string `json:"group"`
	// Kind: "Rollout".
	// +required
	// +kubebuilder:validation:Pattern=`^[A-Z][A-Za-z0-9]*$`
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`
	// Resource is the plural name in URLs: "rollouts".
	// +required
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	Resource string `json:"resource"`
	// TemplatePath are the names of the fields from the object's root to its pod template, joined by dots.
	// +required
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)*$`
	// +kubebuilder:validation:MaxLength=256
	TemplatePath string `json:"templatePath"`
	// Controllers are the service accounts ("namespace/name") whose children count as made from a judged
	// object of this kind, like those of built-in controllers.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	Controllers []string `json:"controllers,omitempty"`
}
