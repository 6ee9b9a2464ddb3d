package component

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"text/template"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/layout"
)

// PauseImage holds the namespaces of every pod. It is pulled from the cluster's
// own registry.
const PauseImage = layout.RegistryName + "/pause:1"

// WriteNodeConfig writes the configuration files of the node's components.
func WriteNodeConfig(spec Spec) error {
	kubelet, err := json.MarshalIndent(kubeletConfig(spec), "", "  ")
	if err != nil {
		return err
	}
	network, err := json.MarshalIndent(cniConfig(spec), "", "  ")
	if err != nil {
		return err
	}
	containerd, err := containerdConfig(spec)
	if err != nil {
		return fmt.Errorf("rendering containerd's configuration: %w", err)
	}
	config := spec.Paths.Config()
	files := map[string][]byte{
		filepath.Join(config, "containerd.toml"):         containerd,
		filepath.Join(config, "kubelet.json"):            kubelet,
		filepath.Join(config, "cni", "10-rune.conflist"): network,
		// containerd reads this directory by the registry's name.
		filepath.Join(config, "registries", layout.RegistryName, "hosts.toml"): []byte(registryHost(spec)),
		filepath.Join(config, "Corefile"):                                      []byte(corefile(spec)),
		filepath.Join(config, "hosts"):                                         []byte(hosts(spec)),
	}
	for path, data := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// kubeletConfig is a KubeletConfiguration. It is not the typed one, which would
// bring the kubelet's API into a program that only writes these few fields.
func kubeletConfig(spec Spec) map[string]any {
	return map[string]any{
		"apiVersion":               "kubelet.config.k8s.io/v1beta1",
		"kind":                     "KubeletConfiguration",
		"containerRuntimeEndpoint": "unix://" + ContainerdSocket,
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false},
			"x509":      map[string]any{"clientCAFile": filepath.Join(spec.Paths.PKI(), "ca.crt")},
			"webhook":   map[string]any{"enabled": true},
		},
		"authorization": map[string]any{"mode": "Webhook"},
		"cgroupDriver":  "cgroupfs",
		"cgroupRoot":    "/" + spec.Cgroup,
		"failCgroupV1":  false, // the hierarchy is the host's, and ours to take as it is
		"failSwapOn":    false,
		// nftables does the work, and the host's iptables are none of ours.
		"makeIPTablesUtilChains": false,
		"enforceNodeAllocatable": []string{"none"},
		"resolvConf":             "", // the host's resolvers are out of reach
		"clusterDNS":             []string{spec.Network.DNSService().String()},
		"clusterDomain":          layout.DNSDomain,
		"oomScoreAdj":            0,
		"serializeImagePulls":    false,
		"registryPullQPS":        0,
		// A full disk of the machine is not the test's business.
		"imageGCHighThresholdPercent": 100,
		"evictionHard": map[string]string{
			"nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%",
		},
	}
}

// cniConfig gives each pod a point-to-point link into the node. There is one
// node, so nothing needs to be routed between nodes, and no masquerading: pods
// reach each other, the node and, through kube-proxy, Services.
func cniConfig(spec Spec) map[string]any {
	return map[string]any{
		"cniVersion": "1.0.0",
		"name":       "rune",
		"plugins": []map[string]any{
			{
				"type": "ptp", "ipMasq": false,
				"ipam": map[string]any{
					"type":    "host-local",
					"dataDir": "/run/cni",
					"ranges":  [][]map[string]string{{{"subnet": spec.Network.Pods.String()}}},
					"routes":  []map[string]string{{"dst": "0.0.0.0/0"}},
				},
			},
			{"type": "portmap", "backend": "nftables", "capabilities": map[string]bool{"portMappings": true}},
		},
	}
}

func registryHost(spec Spec) string {
	return fmt.Sprintf("server = \"http://%[1]s\"\n\n[host.\"http://%[1]s\"]\n  capabilities = [\"pull\", \"resolve\"]\n", spec.Addresses.Registry)
}

// corefile resolves Services and the registry. Every other name does not
// exist: an error would make resolvers wait and try again.
func corefile(spec Spec) string {
	return fmt.Sprintf(`.:53 {
    bind %[1]s
    errors
    ready 127.0.0.1:8181
    hosts {
        %[1]s registry.localhost
        fallthrough
    }
    kubernetes %[2]s in-addr.arpa {
        kubeconfig %[3]s %[4]s
        ttl 5
        fallthrough in-addr.arpa
    }
    template ANY ANY . {
        rcode NXDOMAIN
    }
}
`, spec.Network.Node.Addr(), layout.DNSDomain, spec.Paths.ComponentKubeconfig("coredns"), spec.Name)
}

func hosts(spec Spec) string {
	return fmt.Sprintf("127.0.0.1 localhost\n%[1]s %[2]s registry.localhost\n", spec.Network.Node.Addr(), spec.NodeName())
}

// containerdConfig renders containerd's configuration.
func containerdConfig(spec Spec) ([]byte, error) {
	functions := template.FuncMap{
		"dir":    filepath.Dir,
		"pause":  func() string { return PauseImage },
		"socket": func() string { return ContainerdSocket },
	}
	parsed, err := template.New("containerd").Funcs(functions).Parse(containerdTemplate)
	if err != nil {
		return nil, err
	}
	var rendered bytes.Buffer
	err = parsed.Execute(&rendered, spec)
	return rendered.Bytes(), err
}

const containerdTemplate = `version = 3
root = "{{.Paths.Data "containerd"}}"
state = "/run/containerd"

[grpc]
  address = "{{socket}}"

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "{{.Snapshotter}}"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{{pause}}"
  [plugins."io.containerd.cri.v1.images".registry]
    config_path = "{{.Paths.Config}}/registries"

[plugins."io.containerd.cri.v1.runtime"]
  # Lowering the score needs CAP_SYS_RESOURCE, which root in a container lacks.
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["{{dir (index .Binaries "ptp")}}"]
    conf_dir = "{{.Paths.Config}}/cni"
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        BinaryName = "{{.Runc}}"
        SystemdCgroup = false
`
