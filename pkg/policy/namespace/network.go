package namespace

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/runeframeos/kubectl-rune/pkg/api/v1alpha1"
	"github.com/runeframeos/kubectl-rune/pkg/policy"
)

// portDNS is the port of the cluster's DNS, over UDP and TCP.
const portDNS = 53

// labelsOfDNS are those of the pods that every distribution's cluster DNS carries, for whatever server it runs.
func labelsOfDNS() map[string]string { return map[string]string{"k8s-app": "kube-dns"} }

// labelsOfSystem are those that the API server keeps on the namespace kube-system.
func labelsOfSystem() map[string]string {
	return map[string]string{corev1.LabelMetadataName: metav1.NamespaceSystem}
}

// judgeNetworkPolicies wants each direction denied for all pods. Policies only ever add permissions, so one
// that allows everything to all pods takes the denial of another away.
func judgeNetworkPolicies(wanted *v1alpha1.NetworkPolicySettings, policies []networkingv1.NetworkPolicy) []policy.Violation {
	var violations []policy.Violation
	for _, direction := range []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress} {
		if !slices.Contains(wanted.DefaultDeny, direction) {
			continue
		}
		if message := judgeDirection(direction, policies); message != "" {
			violations = append(violations, policy.Violation{Message: message})
		}
	}
	if wanted.AllowDNS && slices.Contains(wanted.DefaultDeny, networkingv1.PolicyTypeEgress) && !allowsDNS(policies) {
		violations = append(violations, policy.Violation{Message: fmt.Sprintf(
			"no NetworkPolicy allows all pods egress to the cluster's DNS, UDP port %d of pods k8s-app=kube-dns in namespace %s",
			portDNS, metav1.NamespaceSystem)})
	}
	return violations
}

func judgeDirection(direction networkingv1.PolicyType, policies []networkingv1.NetworkPolicy) string {
	what, denied := strings.ToLower(string(direction)), false
	for i := range policies {
		p := &policies[i]
		if !selectsAllPods(p) || !isolates(p, direction) {
			continue
		}
		if allowsAll(p, direction) {
			return fmt.Sprintf("NetworkPolicy %q allows all %s of all pods, it must be denied by default", p.Name, what)
		}
		denied = true
	}
	if !denied {
		return fmt.Sprintf("no NetworkPolicy denies %s of all pods by default", what)
	}
	return ""
}

func selectsAllPods(p *networkingv1.NetworkPolicy) bool {
	return len(p.Spec.PodSelector.MatchLabels)+len(p.Spec.PodSelector.MatchExpressions) == 0
}

// isolates tells whether a policy says anything about a direction. Without policyTypes it does about ingress
// always and about egress where it has egress rules, as the API documents.
func isolates(p *networkingv1.NetworkPolicy, direction networkingv1.PolicyType) bool {
	if len(p.Spec.PolicyTypes) > 0 {
		return slices.Contains(p.Spec.PolicyTypes, direction)
	}
	return direction == networkingv1.PolicyTypeIngress || len(p.Spec.Egress) > 0
}

// allowsAll tells whether a rule of a policy leaves nothing of a direction denied.
func allowsAll(p *networkingv1.NetworkPolicy, direction networkingv1.PolicyType) bool {
	if direction == networkingv1.PolicyTypeIngress {
		return slices.ContainsFunc(p.Spec.Ingress, func(r networkingv1.NetworkPolicyIngressRule) bool {
			return len(r.Ports) == 0 && anywhere(r.From)
		})
	}
	return slices.ContainsFunc(p.Spec.Egress, func(r networkingv1.NetworkPolicyEgressRule) bool {
		return len(r.Ports) == 0 && anywhere(r.To)
	})
}

// anywhere tells whether peers are all there are: none named, or a block of all addresses of a family.
func anywhere(peers []networkingv1.NetworkPolicyPeer) bool {
	return len(peers) == 0 || slices.ContainsFunc(peers, func(peer networkingv1.NetworkPolicyPeer) bool {
		return peer.IPBlock != nil && strings.HasSuffix(peer.IPBlock.CIDR, "/0") && len(peer.IPBlock.Except) == 0
	})
}

// allowsDNS tells whether all pods may ask the cluster's DNS over UDP. A block of addresses counts: whether
// the DNS lies in it cannot be told here.
func allowsDNS(policies []networkingv1.NetworkPolicy) bool {
	for i := range policies {
		p := &policies[i]
		if !selectsAllPods(p) || !isolates(p, networkingv1.PolicyTypeEgress) {
			continue
		}
		for _, rule := range p.Spec.Egress {
			if slices.ContainsFunc(rule.To, reachesDNS) || len(rule.To) == 0 {
				if len(rule.Ports) == 0 || slices.ContainsFunc(rule.Ports, isDNS) {
					return true
				}
			}
		}
	}
	return false
}

func isDNS(port networkingv1.NetworkPolicyPort) bool {
	// Without a protocol it is TCP.
	if port.Protocol == nil || *port.Protocol != corev1.ProtocolUDP {
		return false
	}
	switch {
	case port.Port == nil:
		return true
	case port.Port.Type == intstr.String:
		// Named by the pods of the DNS itself: its manifests call the port so.
		return port.Port.StrVal == "dns"
	case port.EndPort != nil:
		return port.Port.IntVal <= portDNS && portDNS <= *port.EndPort
	}
	return port.Port.IntVal == portDNS
}

func reachesDNS(peer networkingv1.NetworkPolicyPeer) bool {
	if peer.IPBlock != nil {
		return true
	}
	return peer.NamespaceSelector != nil && matches(peer.NamespaceSelector, labelsOfSystem()) &&
		(peer.PodSelector == nil || matches(peer.PodSelector, labelsOfDNS()))
}

func matches(selector *metav1.LabelSelector, set map[string]string) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(labels.Set(set))
}
