package component

import (
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/layout"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/toolchain"
)

// Spec is what is decided about a cluster before anything of it starts. The
// supervisor reads it from the state directory.
type Spec struct {
	Name string `json:"name"`
	// Node is true where a real node runs, in namespaces of its own.
	Node bool `json:"node"`
	// Controllers is true where a controller manager and a scheduler run,
	// FakeNodes where kwok does.
	Controllers bool               `json:"controllers"`
	FakeNodes   bool               `json:"fakeNodes"`
	Paths       layout.Paths       `json:"paths"`
	Network     layout.Network     `json:"network"`
	Binaries    toolchain.Binaries `json:"binaries"`
	// Self is the path by which this program starts itself.
	Self string `json:"self"`
	// Addresses are host:port, as seen where the components run.
	Addresses Addresses `json:"addresses"`
	// Cgroup is the name of the node's cgroup.
	Cgroup string `json:"cgroup,omitempty"`
	// Runc is the path of the OCI runtime.
	Runc string `json:"runc,omitempty"`
	// Snapshotter is containerd's: overlayfs, or native where that does not
	// work.
	Snapshotter string `json:"snapshotter,omitempty"`
}

// Addresses are where the components listen, as host:port.
type Addresses struct {
	EtcdClient string `json:"etcdClient"`
	EtcdPeer   string `json:"etcdPeer"`
	API        string `json:"api"`
	Registry   string `json:"registry"`
	// Kwok is kwok's own server.
	Kwok string `json:"kwok,omitempty"`
}

// NodeName is the name of the real node, and its host name.
func (s Spec) NodeName() string { return s.Name + "-node" }

// SandboxAddresses are where components listen on a node of their own, where
// every port is free.
func SandboxAddresses(network layout.Network) Addresses {
	node := network.Node.Addr().String()
	return Addresses{
		EtcdClient: "127.0.0.1:2379",
		EtcdPeer:   "127.0.0.1:2380",
		API:        node + ":6443",
		Registry:   node + ":5000",
	}
}

// Component is one process of the cluster. All are vital: the end of one ends
// the cluster.
type Component struct {
	Name string
	// Program is the path of the executable; Args[0] is the name it sees.
	Program string
	Args    []string
	Env     []string
	// Listeners is true for the component that is given the sockets that were
	// opened on the host.
	Listeners bool
	// Ready is asked until it says that the next stage may start.
	Ready Probe
}

// Probe says how to see that a component has started. The zero Probe is
// content with the process itself.
type Probe struct {
	// Dial is a network and an address that accept connections.
	Dial [2]string
	// Get is a URL that answers 200, asked with the certificates of the API
	// server's administrator.
	Get string
}

// Stages returns the components in the order in which they start: those of one
// stage together, the next stage when all of the last are ready.
func Stages(spec Spec) [][]Component {
	first := []Component{etcd(spec), registry(spec), forward(spec)}
	if spec.Node {
		first = append(first, containerd(spec))
	}
	stages := [][]Component{first, {apiServer(spec)}}
	var last []Component
	if spec.Controllers {
		last = append(last, controllerManager(spec), scheduler(spec))
	}
	if spec.Node {
		last = append(last, kubelet(spec), kubeProxy(spec), coreDNS(spec))
	}
	if spec.FakeNodes {
		last = append(last, kwok(spec))
	}
	return append(stages, last)
}

// program returns the component that runs one of the built binaries.
func program(spec Spec, name string, args ...string) Component {
	return Component{Name: name, Program: spec.Binaries[name], Args: append([]string{name}, args...)}
}

// self returns the component that runs this program's hidden subcommand.
func self(spec Spec, subcommand string) Component {
	return Component{Name: subcommand, Program: spec.Self, Args: []string{"runecluster", subcommand, "--state", spec.Paths.State}}
}
