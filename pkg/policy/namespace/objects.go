package namespace

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
)

// name of the ResourceQuota and the LimitRange; NetworkPolicies have it as their prefix.
const name = "rune"

// OwnLabels are those of every object that is made for a namespace.
func OwnLabels() map[string]string {
	return map[string]string{
		"app.kubernetes.io/part-of":    "rune",
		"app.kubernetes.io/managed-by": v1alpha1.FieldManager,
	}
}

// Objects returns what a namespace of an Environment must hold, ready for server-side apply: only fields
// that the Environment decides. The labels of the namespace itself come from Labels.
func Objects(environment *v1alpha1.Environment, namespace string) ([]*unstructured.Unstructured, error) {
	settings := environment.Spec.NamespaceSettings
	if settings == nil {
		return nil, nil
	}
	var typed []runtime.Object
	if quota := settings.ResourceQuota; quota != nil && len(quota.Hard) > 0 {
		typed = append(typed, &corev1.ResourceQuota{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ResourceQuota"},
			ObjectMeta: meta(namespace, name),
			Spec:       corev1.ResourceQuotaSpec{Hard: quota.Hard},
		})
	}
	if limits := settings.LimitRange; limits != nil && len(limits.Default)+len(limits.DefaultRequest)+len(limits.Max)+len(limits.Min) > 0 {
		typed = append(typed, &corev1.LimitRange{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "LimitRange"},
			ObjectMeta: meta(namespace, name),
			Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
				Type: corev1.LimitTypeContainer, Default: limits.Default, DefaultRequest: limits.DefaultRequest,
				Max: limits.Max, Min: limits.Min,
			}}},
		})
	}
	for _, networkPolicy := range networkPolicies(settings.NetworkPolicy, namespace) {
		typed = append(typed, networkPolicy)
	}
	if settings.PullSecrets {
		typed = append(typed, pullSecretsBinding(namespace))
	}
	objects := make([]*unstructured.Unstructured, 0, len(typed))
	for _, object := range typed {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			return nil, fmt.Errorf("encoding %s of namespace %q: %w", object.GetObjectKind().GroupVersionKind().Kind, namespace, err)
		}
		delete(content, "status")
		unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
		objects = append(objects, &unstructured.Unstructured{Object: content})
	}
	return objects, nil
}

func meta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: OwnLabels()}
}

// pullSecretsBinding lets the webhook read pull secrets in one namespace, and in no other.
func pullSecretsBinding(namespace string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
		ObjectMeta: meta(namespace, v1alpha1.PullSecretsRole),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: v1alpha1.PullSecretsRole},
		Subjects: []rbacv1.Subject{{
			Kind: rbacv1.ServiceAccountKind, Namespace: v1alpha1.SystemNamespace, Name: v1alpha1.WebhookServiceAccount,
		}},
	}
}

// networkPolicies makes one policy per direction, and one for DNS: who wants to see or take away one of them
// need not read rules.
func networkPolicies(settings *v1alpha1.NetworkPolicySettings, namespace string) []*networkingv1.NetworkPolicy {
	if settings == nil {
		return nil
	}
	var policies []*networkingv1.NetworkPolicy
	add := func(suffix string, direction networkingv1.PolicyType, egress ...networkingv1.NetworkPolicyEgressRule) {
		policies = append(policies, &networkingv1.NetworkPolicy{
			TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
			ObjectMeta: meta(namespace, name+"-"+suffix),
			Spec:       networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{direction}, Egress: egress},
		})
	}
	for _, direction := range slices.Sorted(slices.Values(settings.DefaultDeny)) {
		add("default-deny-"+strings.ToLower(string(direction)), direction)
	}
	if settings.AllowDNS && slices.Contains(settings.DefaultDeny, networkingv1.PolicyTypeEgress) {
		add("allow-dns", networkingv1.PolicyTypeEgress, dnsRule())
	}
	return policies
}

func dnsRule() networkingv1.NetworkPolicyEgressRule {
	port := func(protocol corev1.Protocol) networkingv1.NetworkPolicyPort {
		number := intstr.FromInt32(portDNS)
		return networkingv1.NetworkPolicyPort{Protocol: &protocol, Port: &number}
	}
	return networkingv1.NetworkPolicyEgressRule{
		To: []networkingv1.NetworkPolicyPeer{{
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: labelsOfSystem()},
			PodSelector:       &metav1.LabelSelector{MatchLabels: labelsOfDNS()},
		}},
		Ports: []networkingv1.NetworkPolicyPort{port(corev1.ProtocolUDP), port(corev1.ProtocolTCP)},
	}
}

// Described says in words what the namespaces of an Environment must hold, one line for each thing.
func Described(environment *v1alpha1.Environment) []string {
	settings := environment.Spec.NamespaceSettings
	if settings == nil {
		return nil
	}
	var lines []string
	if quota := settings.ResourceQuota; quota != nil && len(quota.Hard) > 0 {
		lines = append(lines, "ResourceQuota of at most "+quantities(quota.Hard))
	}
	if limits := settings.LimitRange; limits != nil {
		for _, part := range []struct {
			words string
			list  corev1.ResourceList
		}{
			{"default limits", limits.Default}, {"default requests", limits.DefaultRequest},
			{"a maximum", limits.Max}, {"a minimum", limits.Min},
		} {
			if len(part.list) > 0 {
				lines = append(lines, "LimitRange with "+part.words+" per container of "+quantities(part.list))
			}
		}
	}
	for _, networkPolicy := range networkPolicies(settings.NetworkPolicy, "") {
		line := "NetworkPolicy that denies " + strings.ToLower(string(networkPolicy.Spec.PolicyTypes[0])) + " by default"
		if len(networkPolicy.Spec.Egress) > 0 {
			line = "NetworkPolicy that allows the cluster's DNS"
		}
		lines = append(lines, line)
	}
	if settings.PullSecrets {
		lines = append(lines, "RoleBinding by which the webhook reads pull secrets")
	}
	if wanted := wantedSecurity(environment); wanted != nil {
		lines = append(lines, fmt.Sprintf("Pod Security labels %s at level %s, version %s",
			strings.Join(wanted.modes(), ", "), wanted.level, wanted.version))
	}
	return lines
}

func quantities(list corev1.ResourceList) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(list)) {
		quantity := list[key]
		parts = append(parts, fmt.Sprintf("%s %s", key, quantity.String()))
	}
	return strings.Join(parts, ", ")
}
