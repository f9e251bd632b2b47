package network

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
)

// DefaultMetadataIP is where containers look for credentials and task metadata.
const DefaultMetadataIP = "169.254.170.2"

// Ports that are kept back on every instance (SEMANTICS §4.3): the original agent has its server at the first.
const (
	metadataPort = 51679
	endpointPort = 51680
)

// Metadata is where the node's metadata server is to listen: at the bridge, so that nodes in one network namespace do not
// meet, and not at port 80, which tasks in mode host and published ports may want for all addresses.
func (n *Network) Metadata() netip.AddrPort { return netip.AddrPortFrom(n.gateway, metadataPort) }

// MetadataHost is the host, with its port if need be, at which a container of a network mode finds the metadata server. Those
// of mode host use Metadata itself: what is translated there is all nodes' of the namespace.
func (n *Network) MetadataHost(mode string) string {
	if mode == "host" || n.cfg.MetadataIP == "-" {
		return n.Metadata().String()
	}
	return n.cfg.MetadataIP
}

// Endpoint is where the node passes on what tasks ask of the control plane, as Metadata.
func (n *Network) Endpoint() netip.AddrPort { return netip.AddrPortFrom(n.gateway, endpointPort) }

// EndpointHost is the host and port at which a container of a network mode finds Endpoint.
func (n *Network) EndpointHost(mode string) string {
	if mode == "host" || n.cfg.MetadataIP == "-" {
		return n.Endpoint().String()
	}
	return net.JoinHostPort(n.cfg.MetadataIP, strconv.Itoa(endpointPort))
}

// Own says whether an address is one of the node itself, from which its own processes and tasks of mode host come: no sandbox
// has one, and what sandboxes send to the node is not translated.
func (n *Network) Own(ip netip.Addr) bool {
	all, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(all, func(a net.Addr) bool {
		p, err := netip.ParsePrefix(a.String())
		return err == nil && p.Addr() == ip
	})
}
