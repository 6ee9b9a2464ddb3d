package component

import (
	"net"
	"path/filepath"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/layout"
)

func etcd(spec Spec) Component {
	client, peer := "http://"+spec.Addresses.EtcdClient, "http://"+spec.Addresses.EtcdPeer
	c := program(spec, "etcd",
		"--data-dir="+spec.Paths.Data("etcd"),
		"--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer,
		"--unsafe-no-fsync", // the data dies with the cluster
		"--log-level=warn",
	)
	c.Ready.Get = client + "/health"
	return c
}

func apiServer(spec Spec) Component {
	pki := func(name string) string { return filepath.Join(spec.Paths.PKI(), name) }
	host, port, _ := net.SplitHostPort(spec.Addresses.API) // made by us, always both
	args := []string{
		"--etcd-servers=http://" + spec.Addresses.EtcdClient,
		"--bind-address=" + host, "--advertise-address=" + host, "--secure-port=" + port,
		"--tls-cert-file=" + pki("apiserver.crt"), "--tls-private-key-file=" + pki("apiserver.key"),
		"--client-ca-file=" + pki("ca.crt"),
		"--service-cluster-ip-range=" + spec.Network.Services.String(),
		"--authorization-mode=Node,RBAC",
		"--allow-privileged=true",
		"--service-account-issuer=https://kubernetes.default.svc." + layout.DNSDomain,
		"--service-account-key-file=" + pki("service-account.key"),
		"--service-account-signing-key-file=" + pki("service-account.key"),
		"--profiling=false",
	}
	args = append(args, auditFlags(spec.Paths)...)
	if spec.Node {
		args = append(args,
			"--enable-admission-plugins=NodeRestriction",
			"--kubelet-preferred-address-types=InternalIP",
			"--kubelet-client-certificate="+pki("apiserver-kubelet.crt"),
			"--kubelet-client-key="+pki("apiserver-kubelet.key"),
		)
	} else {
		// An endpoint of Service kubernetes may not be a loopback address.
		args = append(args, "--endpoint-reconciler-type=none")
	}
	c := program(spec, "kube-apiserver", args...)
	c.Ready.Get = "https://" + spec.Addresses.API + "/readyz"
	return c
}

func controllerManager(spec Spec) Component {
	pki := func(name string) string { return filepath.Join(spec.Paths.PKI(), name) }
	return program(spec, "kube-controller-manager",
		"--kubeconfig="+spec.Paths.ComponentKubeconfig("kube-controller-manager"),
		"--root-ca-file="+pki("ca.crt"),
		"--cluster-signing-cert-file="+pki("ca.crt"), "--cluster-signing-key-file="+pki("ca.key"),
		"--service-account-private-key-file="+pki("service-account.key"),
		"--use-service-account-credentials", "--leader-elect=false",
		// Its default makes it wait 4 s while it starts.
		"--kube-api-qps=500", "--kube-api-burst=1000",
		"--bind-address=127.0.0.1", "--secure-port=0",
	)
}

func scheduler(spec Spec) Component {
	return program(spec, "kube-scheduler",
		"--kubeconfig="+spec.Paths.ComponentKubeconfig("kube-scheduler"),
		"--leader-elect=false", "--bind-address=127.0.0.1", "--secure-port=0",
		"--kube-api-qps=500", "--kube-api-burst=1000",
	)
}

func registry(spec Spec) Component {
	c := self(spec, "registry")
	c.Ready.Get = "http://" + spec.Addresses.Registry + "/v2/"
	return c
}

func forward(spec Spec) Component {
	c := self(spec, "forward")
	c.Listeners = true
	return c
}

func kwok(spec Spec) Component {
	return program(spec, "kwok",
		"--kubeconfig="+spec.Paths.ComponentKubeconfig("kwok"),
		"--config="+spec.Binaries["stages.yaml"],
		"--manage-all-nodes=true",
		// Without a lease no heartbeat reaches the node controller, which then declares every node lost
		// after less than a minute, and the pods on it unready for good. A kubelet's default.
		"--node-lease-duration-seconds=40",
		"--server-address="+spec.Addresses.Kwok,
	)
}
