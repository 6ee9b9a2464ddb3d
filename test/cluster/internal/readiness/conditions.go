package readiness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/layout"
)

// API is true when the API server says that it is ready.
func API(client kubernetes.Interface) Condition {
	return Condition{Name: "the API server is ready", Component: "kube-apiserver", Check: func(ctx context.Context) error {
		_, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		return err
	}}
}

// Nodes is true when there is a node and all are ready.
func Nodes(client kubernetes.Interface, component string) Condition {
	return Condition{Name: "the nodes are ready", Component: component, Check: func(ctx context.Context) error {
		nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		if len(nodes.Items) == 0 {
			return errors.New("there is no node")
		}
		for _, node := range nodes.Items {
			if err := nodeReady(node); err != nil {
				return err
			}
		}
		return nil
	}}
}

func nodeReady(node corev1.Node) error {
	for _, condition := range node.Status.Conditions {
		if condition.Type != corev1.NodeReady {
			continue
		}
		if condition.Status == corev1.ConditionTrue {
			return nil
		}
		return fmt.Errorf("node %q is not ready: %s", node.Name, condition.Message)
	}
	return fmt.Errorf("node %q has not said that it is ready", node.Name)
}

// ServiceAccount is true when pods may be created in namespace default.
func ServiceAccount(client kubernetes.Interface) Condition {
	return Condition{Name: "the default service account is there", Component: "kube-controller-manager", Check: func(ctx context.Context) error {
		_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err
	}}
}

// Registry is true when the registry answers a caller with that transport.
func Registry(registry string, transport http.RoundTripper) Condition {
	return Condition{Name: "the registry answers", Component: "registry", Check: func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+registry+"/v2/", nil)
		if err != nil {
			return err
		}
		response, err := transport.RoundTrip(request)
		if err != nil {
			return err
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("getting %s: %s", request.URL, response.Status)
		}
		return nil
	}}
}

// DNS is true when the cluster DNS resolves Service kubernetes and the address
// leads to the API server. The proxy asks the Service of the DNS, so that
// kube-proxy is seen to work, too.
func DNS(proxy string) Condition {
	// A question that is asked before kube-proxy has its rules is never
	// answered; asking again is quicker than waiting for the resolver to do so.
	return Condition{Name: "the cluster DNS answers", Component: "coredns", Timeout: time.Second, Check: func(ctx context.Context) error {
		address, err := url.Parse(proxy)
		if err != nil {
			return err
		}
		var dialer net.Dialer
		connection, err := dialer.DialContext(ctx, "tcp", address.Host)
		if err != nil {
			return err
		}
		defer connection.Close()
		if deadline, ok := ctx.Deadline(); ok {
			if err := connection.SetDeadline(deadline); err != nil {
				return err
			}
		}
		target := "kubernetes.default.svc." + layout.DNSDomain + ":443"
		request, err := http.NewRequestWithContext(ctx, http.MethodConnect, "http://"+target, nil)
		if err != nil {
			return err
		}
		if err := request.Write(connection); err != nil {
			return err
		}
		response, err := http.ReadResponse(bufio.NewReader(connection), request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("connecting to %s: %s", target, response.Status)
		}
		return nil
	}}
}
