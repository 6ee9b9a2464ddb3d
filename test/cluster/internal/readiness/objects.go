package readiness

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/layout"
)

const dnsName = "kube-dns"

// Addons is true when the objects that belong to the node's own processes are
// there; it creates them. It fails for a moment after the start of an API
// server that has not yet made its namespaces and Service range.
func Addons(client kubernetes.Interface, network layout.Network) Condition {
	return Condition{Name: "the cluster's own objects are created", Component: "kube-apiserver", Check: func(ctx context.Context) error {
		_, err := client.CoreV1().Services(metav1.NamespaceSystem).Create(ctx, dnsService(network), metav1.CreateOptions{})
		if unexpected(err) {
			return err
		}
		_, err = client.DiscoveryV1().EndpointSlices(metav1.NamespaceSystem).Create(ctx, dnsEndpoints(network), metav1.CreateOptions{})
		if unexpected(err) {
			return err
		}
		return nil
	}}
}

func unexpected(err error) bool { return err != nil && !apierrors.IsAlreadyExists(err) }

// dnsService has no selector: CoreDNS is a process of the node and not a pod,
// so that names resolve before the first image is pulled.
func dnsService(network layout.Network) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: dnsName, Namespace: metav1.NamespaceSystem, Labels: map[string]string{"k8s-app": dnsName}},
		Spec: corev1.ServiceSpec{
			ClusterIP: network.DNSService().String(),
			Ports: []corev1.ServicePort{
				{Name: "dns", Protocol: corev1.ProtocolUDP, Port: 53, TargetPort: intstr.FromInt32(53)},
				{Name: "dns-tcp", Protocol: corev1.ProtocolTCP, Port: 53, TargetPort: intstr.FromInt32(53)},
			},
		},
	}
}

func dnsEndpoints(network layout.Network) *discoveryv1.EndpointSlice {
	port := func(name string, protocol corev1.Protocol) discoveryv1.EndpointPort {
		number := int32(53)
		return discoveryv1.EndpointPort{Name: &name, Protocol: &protocol, Port: &number}
	}
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name: dnsName, Namespace: metav1.NamespaceSystem,
			Labels: map[string]string{discoveryv1.LabelServiceName: dnsName},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{network.Node.Addr().String()}}},
		Ports:       []discoveryv1.EndpointPort{port("dns", corev1.ProtocolUDP), port("dns-tcp", corev1.ProtocolTCP)},
	}
}

// FakeNodes is true when there are that many nodes for kwok to play; it creates
// them.
func FakeNodes(client kubernetes.Interface, cluster string, count int) Condition {
	return Condition{Name: "the fake nodes are created", Component: "kube-apiserver", Check: func(ctx context.Context) error {
		for i := range count {
			name := fmt.Sprintf("%s-node-%d", cluster, i)
			node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
				Name:        name,
				Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"},
				Labels:      map[string]string{corev1.LabelHostname: name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64"},
			}}
			if _, err := client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); unexpected(err) {
				return err
			}
		}
		return nil
	}}
}
