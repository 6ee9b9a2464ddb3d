package layout

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"regexp"
)

// RegistryName is the one name of the registry: on the node, in pods and,
// through the proxy port, on the host. Its ending makes go-containerregistry,
// and so cosign, speak plain HTTP to it unasked (v0.22 no longer does for names
// that end in .local).
const RegistryName = "registry.localhost:5000"

// DNSDomain is the cluster domain under which Services resolve.
const DNSDomain = "cluster.local"

// Network is one cluster's share of 10.0.0.0/8: a /16 that holds the node, the
// pods and the Services.
type Network struct {
	Node     netip.Prefix // the node's address with the length of its network
	Pods     netip.Prefix
	Services netip.Prefix
}

// NetworkOf returns the network of the cluster with the given name: one of 64
// blocks from 10.64.0.0/16 up, by a hash of the name. Clusters whose names
// share a block still do not meet, since each has its own network namespace.
func NetworkOf(name string) Network {
	sum := fnv.New32a()
	sum.Write([]byte(name)) // never fails, see hash.Hash
	block := byte(64 + sum.Sum32()%64)
	return Network{
		Node:     netip.PrefixFrom(netip.AddrFrom4([4]byte{10, block, 0, 1}), 24),
		Pods:     netip.PrefixFrom(netip.AddrFrom4([4]byte{10, block, 64, 0}), 18),
		Services: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, block, 128, 0}), 18),
	}
}

// APIService is the address of Service default/kubernetes: the first of the
// Service range, as the API server chooses it.
func (n Network) APIService() netip.Addr { return n.Services.Addr().Next() }

// DNSService is the address of Service kube-system/kube-dns.
func (n Network) DNSService() netip.Addr {
	address := n.Services.Addr().As4()
	address[3] += 10
	return netip.AddrFrom4(address)
}

var validName = regexp.MustCompile(`^[a-z][a-z0-9-]{1,29}$`)

// CheckName returns an error unless name can be part of a host name, a cgroup
// name and a directory name.
func CheckName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("cluster name %q: want 2 to 30 lower-case letters, digits and dashes, beginning with a letter", name)
	}
	return nil
}
