package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/component"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/layout"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/machine"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/record"
	"github.com/runeframeos/kubectl-rune/test/cluster/internal/toolchain"
)

// upping is one cluster on its way up.
type upping struct {
	options  Options
	paths    layout.Paths
	tier     machine.Tier
	info     record.Info
	progress io.Writer

	spec      component.Spec
	listeners []net.Listener
}

func (u *upping) run(ctx context.Context) error {
	if u.tier == machine.Node {
		if err := machine.InstallMissing(ctx, u.progress); err != nil {
			return err
		}
	}
	binaries, err := u.binaries(ctx)
	if err != nil {
		return err
	}
	defer u.closeListeners()
	if err := u.listen(); err != nil {
		return err
	}
	if err := u.plan(binaries); err != nil {
		return err
	}
	if err := component.WriteCertificates(u.spec, u.info.Server, time.Now()); err != nil {
		return fmt.Errorf("making certificates: %w", err)
	}
	if err := record.WriteJSON(u.paths.Spec(), u.spec); err != nil {
		return err
	}
	return u.launch(ctx)
}

// ToolsOf returns the tools that a tier is made of, in the order in which they
// are built.
func ToolsOf(tier machine.Tier) []string {
	switch tier {
	case machine.Node:
		return []string{"kubernetes", "containerd", "cni", "coredns", "pause"}
	case machine.Kwok:
		return []string{"kubernetes", "kwok"}
	default:
		return nil
	}
}

func (u *upping) binaries(ctx context.Context) (toolchain.Binaries, error) {
	if u.tier == machine.Assets {
		return assets(os.Getenv("KUBEBUILDER_ASSETS"))
	}
	cache, err := toolchain.NewCache(ctx, u.progress)
	if err != nil {
		return nil, err
	}
	return cache.Ensure(ctx, ToolsOf(u.tier)...)
}

func assets(dir string) (toolchain.Binaries, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	binaries := toolchain.Binaries{}
	for _, name := range []string{"etcd", "kube-apiserver", "kubectl"} {
		binaries[name] = filepath.Join(dir, name)
		if _, err := os.Stat(binaries[name]); err != nil {
			return nil, fmt.Errorf("looking through KUBEBUILDER_ASSETS: %w", err)
		}
	}
	return binaries, nil
}

// listen opens the sockets by which callers reach into the cluster. They are
// handed to it already open: a socket stays in the network namespace in which
// it was made.
func (u *upping) listen() error {
	for _, port := range []int{u.options.APIPort, u.options.RegistryPort} {
		listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			return fmt.Errorf("opening a port on 127.0.0.1: %w", err)
		}
		u.listeners = append(u.listeners, listener)
	}
	u.info.Server = "https://" + u.listeners[0].Addr().String()
	u.info.Registry = layout.RegistryName
	u.info.RegistryProxy = "http://" + u.listeners[1].Addr().String()
	return nil
}

func (u *upping) closeListeners() {
	for _, listener := range u.listeners {
		listener.Close()
	}
}

// plan decides all that the supervisor needs to know.
func (u *upping) plan(binaries toolchain.Binaries) error {
	network := layout.NetworkOf(u.options.Name)
	u.spec = component.Spec{
		Name: u.options.Name, Paths: u.paths, Network: network, Binaries: binaries,
		Node: u.tier == machine.Node, Controllers: u.tier != machine.Assets, FakeNodes: u.tier == machine.Kwok,
	}
	u.info.Kubectl = binaries["kubectl"]
	for _, dir := range []string{u.paths.Config(), u.paths.Data("")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := component.WriteAuditPolicy(u.paths); err != nil {
		return err
	}
	var err error
	if u.spec.Self, err = selfPath(); err != nil {
		return err
	}
	if u.tier != machine.Node {
		u.spec.Addresses, err = hostAddresses()
		return err
	}
	u.spec.Addresses = component.SandboxAddresses(network)
	u.spec.Cgroup = cgroupOf(u.options.Name)
	u.spec.Runc, err = machine.LookPath("runc")
	return err
}

// selfPath is a path by which children can start this program again. On Linux
// it works even if the file is gone, as after `go run`.
func selfPath() (string, error) {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe", nil
	}
	return os.Executable()
}

// hostAddresses chooses free ports on the host's loopback. All are held until
// all are chosen; between then and their use somebody else could take one, and
// then the component that wanted it fails and says so.
func hostAddresses() (component.Addresses, error) {
	var a component.Addresses
	var held []net.Listener
	for _, address := range []*string{&a.EtcdClient, &a.EtcdPeer, &a.API, &a.Registry, &a.Kwok} {
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return a, errors.Join(fmt.Errorf("looking for a free port: %w", err), closeAll(held))
		}
		held = append(held, listener)
		*address = listener.Addr().String()
	}
	return a, closeAll(held)
}

func closeAll(listeners []net.Listener) error {
	var problems []error
	for _, listener := range listeners {
		problems = append(problems, listener.Close())
	}
	return errors.Join(problems...)
}
