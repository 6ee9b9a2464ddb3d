package component

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/layout"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/pki"
)

// WriteCertificates makes the cluster's keys, certificates and kubeconfigs.
// server is the API server's URL for callers on the host.
func WriteCertificates(spec Spec, server string, now time.Time) error {
	authority, err := pki.NewAuthority(spec.Name, now)
	if err != nil {
		return err
	}
	if err := writeServing(spec, authority, now); err != nil {
		return err
	}
	admin, err := authority.Client(now, "kubernetes-admin", "system:masters")
	if err != nil {
		return err
	}
	if err := pki.WriteKubeconfig(spec.Paths.Kubeconfig(), spec.Name, server, authority.PEM, "admin", admin); err != nil {
		return err
	}
	users := map[string][]string{
		"kube-controller-manager": {"system:kube-controller-manager"},
		"kube-scheduler":          {"system:kube-scheduler"},
	}
	if spec.FakeNodes {
		users["kwok"] = []string{"kwok", "system:masters"}
	}
	if spec.Node {
		users["kubelet"] = []string{"system:node:" + spec.NodeName(), "system:nodes"}
		users["kube-proxy"] = []string{"system:kube-proxy"}
		// No default role lets it read what it serves; waiting for one of ours
		// would cost it seconds when it starts.
		users["coredns"] = []string{"coredns", "system:masters"}
	}
	for name, user := range users {
		pair, err := authority.Client(now, user[0], user[1:]...)
		if err != nil {
			return err
		}
		path := spec.Paths.ComponentKubeconfig(name)
		if err := pki.WriteKubeconfig(path, spec.Name, "https://"+spec.Addresses.API, authority.PEM, name, pair); err != nil {
			return err
		}
	}
	return nil
}

// writeServing writes what the API server reads.
func writeServing(spec Spec, authority *pki.Authority, now time.Time) error {
	host, _, err := net.SplitHostPort(spec.Addresses.API)
	if err != nil {
		return err
	}
	names := []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + layout.DNSDomain}
	addresses := []net.IP{net.IPv4(127, 0, 0, 1), net.ParseIP(host), spec.Network.APIService().AsSlice()}
	serving, err := authority.Server(now, "kube-apiserver", names, addresses)
	if err != nil {
		return err
	}
	// The kubelet asks the API server whether its caller may; masters may.
	kubelet, err := authority.Client(now, "kube-apiserver-kubelet-client", "system:masters")
	if err != nil {
		return err
	}
	serviceAccount, err := pki.NewKey()
	if err != nil {
		return err
	}
	files := map[string][]byte{
		"ca.crt": authority.PEM, "ca.key": authority.KeyPEM,
		"apiserver.crt": serving.Certificate, "apiserver.key": serving.Key,
		"apiserver-kubelet.crt": kubelet.Certificate, "apiserver-kubelet.key": kubelet.Key,
		"service-account.key": serviceAccount,
	}
	if err := os.MkdirAll(spec.Paths.PKI(), 0o700); err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(spec.Paths.PKI(), name), data, 0o600); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return nil
}
