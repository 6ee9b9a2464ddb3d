package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// NamespaceSettings are what each namespace of an environment must hold.
type NamespaceSettings struct {
	// ResourceQuota bounds what the namespace as a whole requests.
	// +optional
	ResourceQuota *QuotaSettings `json:"resourceQuota,omitempty"`
	// LimitRange gives defaults and bounds to containers that reach the namespace without the webhook.
	// +optional
	LimitRange *LimitRangeSettings `json:"limitRange,omitempty"`
	// NetworkPolicy denies traffic by default.
	// +optional
	NetworkPolicy *NetworkPolicySettings `json:"networkPolicy,omitempty"`
	// PodSecurityLabels asks for the labels pod-security.kubernetes.io/… that match rules.podSecurity, so that
	// the API server's own admission stands behind the webhook.
	// +optional
	PodSecurityLabels bool `json:"podSecurityLabels,omitempty"`
	// PullSecrets lets the webhook read the Secrets and ServiceAccounts of the namespace, so that it asks registries with
	// the credentials with which the kubelet will pull. Nobody checks that; env apply grants it.
	// +optional
	PullSecrets bool `json:"pullSecrets,omitempty"`
}

// QuotaSettings are a ResourceQuota.
type QuotaSettings struct {
	// Hard limits by resource, such as requests.cpu or pods.
	// +required
	Hard corev1.ResourceList `json:"hard"`
}

// LimitRangeSettings are a LimitRange for containers.
type LimitRangeSettings struct {
	// Default limits of containers that set none.
	// +optional
	Default corev1.ResourceList `json:"default,omitempty"`
	// DefaultRequest of containers that set none.
	// +optional
	DefaultRequest corev1.ResourceList `json:"defaultRequest,omitempty"`
	// +optional
	Min corev1.ResourceList `json:"min,omitempty"`
	// +optional
	Max corev1.ResourceList `json:"max,omitempty"`
}

// NetworkPolicySettings are NetworkPolicies that select all pods of a namespace.
type NetworkPolicySettings struct {
	// DefaultDeny lists the directions in which nothing is allowed unless another policy allows it.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=2
	// +kubebuilder:validation:items:Enum=Ingress;Egress
	DefaultDeny []networkingv1.PolicyType `json:"defaultDeny"`
	// AllowDNS lets all pods ask the cluster's DNS although egress is denied.
	// +optional
	AllowDNS bool `json:"allowDNS,omitempty"`
}
