package sandbox

import (
	"fmt"
	"net"
	"os"

	"github.com/vishvananda/netlink"

	"github.com/runeframeos/kubectl-rune/test/cluster/internal/layout"
)

// nodeLink carries the node's address. It is a bridge without ports because
// not every kernel has dummy links.
const nodeLink = "node0"

// configureNetwork gives the namespace its loopback, the node's address and a
// default route. The route leads nowhere, but without one there would be no
// source address for connections to Services, which kube-proxy then redirects.
func configureNetwork(network layout.Network) error {
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("finding the loopback link: %w", err)
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		return fmt.Errorf("setting up the loopback link: %w", err)
	}
	attributes := netlink.NewLinkAttrs()
	attributes.Name = nodeLink
	link := &netlink.Bridge{LinkAttrs: attributes}
	if err := netlink.LinkAdd(link); err != nil {
		return fmt.Errorf("adding link %s: %w", nodeLink, err)
	}
	address := &netlink.Addr{IPNet: &net.IPNet{
		IP: network.Node.Addr().AsSlice(), Mask: net.CIDRMask(network.Node.Bits(), 32),
	}}
	if err := netlink.AddrAdd(link, address); err != nil {
		return fmt.Errorf("adding address %s to link %s: %w", network.Node, nodeLink, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("setting up link %s: %w", nodeLink, err)
	}
	_, everywhere, err := net.ParseCIDR("0.0.0.0/0")
	if err != nil {
		return err
	}
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: everywhere, Scope: netlink.SCOPE_LINK}
	if err := netlink.RouteAdd(route); err != nil {
		return fmt.Errorf("adding the default route: %w", err)
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
}
