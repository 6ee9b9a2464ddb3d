package toolchain

import "strings"

// Tool is one module below tools/ and what is built from it.
type Tool struct {
	// Name is the module's directory below tools/.
	Name string
	// Module is the module whose version the tool is known by, empty for our
	// own code.
	Module string
	// Packages are what `go build` is given; Binaries what comes out: where there
	// is one package, its program under this name, else under the package's own.
	Packages []string
	Binaries []string
	// Links are further names for the first binary.
	Links []string
	// Stamp names variables that the linker sets: to the version, or to its
	// major or minor part where the name ends so.
	Stamp []string
	// Collect maps a file in the tool's directory to files of Module that are
	// concatenated into it as YAML documents.
	Collect map[string][]string
	// Usual is how long a cold build takes, for people.
	Usual string
}

const cniPlugins = "github.com/containernetworking/plugins/plugins/"

// Tools returns every tool, in the order in which they are built.
func Tools() []Tool { return append(clusterTools(), signingTools()...) }

// clusterTools are what clusters consist of.
func clusterTools() []Tool {
	return []Tool{
		{
			Name: "kubernetes", Module: "k8s.io/kubernetes", Packages: []string{".", "k8s.io/kubernetes/cmd/kubectl"}, Binaries: []string{"kubernetes", "kubectl"},
			Links: []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet"},
			Stamp: []string{
				"k8s.io/component-base/version.gitVersion", "k8s.io/component-base/version.gitMajor", "k8s.io/component-base/version.gitMinor",
				"k8s.io/client-go/pkg/version.gitVersion", "k8s.io/client-go/pkg/version.gitMajor", "k8s.io/client-go/pkg/version.gitMinor",
			},
			Usual: "6 to 12 min",
		},
		{
			Name: "containerd", Module: "github.com/containerd/containerd/v2",
			Packages: []string{"github.com/containerd/containerd/v2/cmd/containerd", "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2"},
			Binaries: []string{"containerd", "containerd-shim-runc-v2"},
			Stamp:    []string{"github.com/containerd/containerd/v2/version.Version"},
			Usual:    "1 to 2 min",
		},
		{
			Name: "cni", Module: "github.com/containernetworking/plugins",
			Packages: []string{cniPlugins + "main/ptp", cniPlugins + "main/loopback", cniPlugins + "ipam/host-local", cniPlugins + "meta/portmap"},
			Binaries: []string{"ptp", "loopback", "host-local", "portmap"},
			Usual:    "20 s",
		},
		{
			Name: "coredns", Module: "github.com/coredns/coredns", Packages: []string{"."}, Binaries: []string{"coredns"},
			Usual: "1 min",
		},
		{Name: "pause", Packages: []string{"."}, Binaries: []string{"pause"}, Usual: "a few seconds"},
		{
			Name: "kwok", Module: "sigs.k8s.io/kwok", Packages: []string{"sigs.k8s.io/kwok/cmd/kwok"}, Binaries: []string{"kwok"},
			Collect: map[string][]string{"stages.yaml": {
				"kustomize/stage/node/fast/*.yaml", "kustomize/stage/node/heartbeat-with-lease/*.yaml", "kustomize/stage/pod/fast/*.yaml",
			}},
			Usual: "1 min",
		},
	}
}

// Find returns the tool that provides the program, and reports whether there
// is one.
func Find(program string) (Tool, bool) {
	for _, tool := range Tools() {
		for _, name := range append(append([]string{tool.Name}, tool.Binaries...), tool.Links...) {
			if name == program {
				return tool, true
			}
		}
	}
	return Tool{}, false
}

// flags returns the flags of `go build` for the tool at the given version.
func (t Tool) flags(version string) []string {
	link := []string{"-s", "-w"}
	major, minor, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	for _, variable := range t.Stamp {
		value := version
		switch {
		case strings.HasSuffix(variable, "Major"):
			value = major
		case strings.HasSuffix(variable, "Minor"):
			value = minor
		}
		link = append(link, "-X", variable+"="+value)
	}
	return []string{"-trimpath", "-buildvcs=false", "-ldflags=" + strings.Join(link, " ")}
}
