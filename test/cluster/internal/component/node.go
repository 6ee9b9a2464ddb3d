package component

import (
	"path/filepath"
)

// ContainerdSocket is private to the sandbox, whose /run is its own. It must
// be short: the address of a socket has room for 108 bytes.
const ContainerdSocket = "/run/containerd/containerd.sock"

func containerd(spec Spec) Component {
	c := program(spec, "containerd", "--config="+filepath.Join(spec.Paths.Config(), "containerd.toml"))
	// containerd looks for its shim on the path.
	c.Env = []string{"PATH=" + filepath.Dir(spec.Binaries["containerd-shim-runc-v2"]) + ":" + searchPath}
	c.Ready.Dial = [2]string{"unix", ContainerdSocket}
	return c
}

// searchPath has the directories that Debian keeps out of users' paths.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func kubelet(spec Spec) Component {
	c := program(spec, "kubelet",
		"--config="+filepath.Join(spec.Paths.Config(), "kubelet.json"),
		"--kubeconfig="+spec.Paths.ComponentKubeconfig("kubelet"),
		"--hostname-override="+spec.NodeName(),
		"--node-ip="+spec.Network.Node.Addr().String(),
	)
	c.Env = []string{"PATH=" + searchPath}
	return c
}

func kubeProxy(spec Spec) Component {
	c := program(spec, "kube-proxy",
		"--kubeconfig="+spec.Paths.ComponentKubeconfig("kube-proxy"),
		"--hostname-override="+spec.NodeName(),
		"--proxy-mode=nftables",
		"--cluster-cidr="+spec.Network.Pods.String(),
		// These would be set for the whole machine, or cannot be.
		"--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0",
		"--oom-score-adj=0",
	)
	c.Env = []string{"PATH=" + searchPath}
	return c
}

func coreDNS(spec Spec) Component {
	return program(spec, "coredns", "-conf="+filepath.Join(spec.Paths.Config(), "Corefile"))
}
