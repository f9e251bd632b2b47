package network

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// makeBridge makes the node's bridge, or takes the one that is there, and lets the node forward.
func (n *Network) makeBridge() error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = n.cfg.Bridge, n.cfg.MTU
	ip := n.gateway.As4() // a MAC of its own, else it changes with the first links that come and go
	attrs.HardwareAddr = net.HardwareAddr{0x0a, 0x58, ip[0], ip[1], ip[2], ip[3]}
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("make bridge: %w", err)
	}
	l, err := netlink.LinkByName(n.cfg.Bridge)
	if err != nil {
		return fmt.Errorf("find bridge: %w", err)
	}
	if l.Type() != "bridge" {
		return fmt.Errorf("%s is a %s, not a bridge", n.cfg.Bridge, l.Type())
	}
	n.bridge = l.Attrs().Index
	addrs := []*net.IPNet{ipNet(netip.PrefixFrom(n.gateway, n.cfg.Subnet.Bits()))}
	if n.cfg.MetadataIP != "-" {
		ip, err := netip.ParseAddr(n.cfg.MetadataIP)
		if err != nil {
			return fmt.Errorf("metadata address: %w", err)
		}
		addrs = append(addrs, ipNet(netip.PrefixFrom(ip, 32)))
	}
	for _, a := range addrs {
		if err := netlink.AddrReplace(l, &netlink.Addr{IPNet: a}); err != nil {
			return fmt.Errorf("give bridge its address: %w", err)
		}
	}
	if err := netlink.LinkSetUp(l); err != nil {
		return fmt.Errorf("set bridge up: %w", err)
	}
	if err := sysctl("net/ipv4/ip_forward", "1"); err != nil {
		return err
	}
	// 127.0.0.1:PORT of the node reaches containers; the ruleset's guard keeps containers off the node's loopback.
	return sysctl("net/ipv4/conf/"+n.cfg.Bridge+"/route_localnet", "1")
}

// sysctl writes a setting unless it is so already: /proc/sys may be read-only.
func sysctl(name, value string) error {
	file := filepath.Join("/proc/sys", name)
	if b, err := os.ReadFile(file); err == nil && strings.TrimSpace(string(b)) == value {
		return nil
	}
	if err := os.WriteFile(file, []byte(value), 0); err != nil {
		return fmt.Errorf("set sysctl: %w", err)
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), 32)}
}

// attach links the sandbox's namespace to the bridge: veth, address, routes.
func (n *Network) attach(e *entry) error {
	ns, err := netns.GetFromPath(n.netns.path(e.name()))
	if err != nil {
		return fmt.Errorf("open namespace: %w", err)
	}
	defer ns.Close()
	in, err := netlink.NewHandleAt(ns)
	if err != nil {
		return fmt.Errorf("enter namespace: %w", err)
	}
	defer in.Close()
	if err := n.addVeth(e, ns, in); err != nil {
		return err
	}
	if err := n.configure(e, in); err != nil {
		return err
	}
	return n.settle(e)
}

// settlePatience is how long settle waits.
const settlePatience = 15 * time.Second

// settle waits until the kernel lets packets pass the sandbox's link and the bridge. Mostly that is so at once; but where many links go at
// the same time it comes seconds later, and what a container sends until then is lost: TCP tries again after one, three and seven seconds.
func (n *Network) settle(e *entry) error {
	began := time.Now()
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		port, err := netlink.LinkByName(e.link(n.cfg.Bridge))
		if err != nil {
			return fmt.Errorf("find link: %w", err)
		}
		bridge, err := netlink.LinkByIndex(n.bridge)
		if err != nil {
			return fmt.Errorf("find bridge: %w", err)
		}
		up := port.Attrs().OperState == netlink.OperUp && bridge.Attrs().OperState == netlink.OperUp
		if took := time.Since(began); !up && took < settlePatience {
			time.Sleep(wait)
			continue
		} else if took > time.Second {
			n.cfg.Logger.Warn("the kernel was slow to let a sandbox's packets pass", "task", e.TaskID, "container", e.Container, "took", took, "up", up)
		}
		return nil
	}
}

func (n *Network) addVeth(e *entry, ns netns.NsHandle, in *netlink.Handle) error {
	mac, err := net.ParseMAC(e.MAC)
	if err != nil {
		return fmt.Errorf("address of the link: %w", err)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU, attrs.MasterIndex, attrs.Flags = e.link(n.cfg.Bridge), n.cfg.MTU, n.bridge, net.FlagUp
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(ns), PeerHardwareAddr: mac}
	err = netlink.LinkAdd(veth)
	if err == nil {
		return hairpin(veth)
	}
	if !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("make link: %w", err)
	}
	old, err := netlink.LinkByName(attrs.Name)
	if err != nil {
		return fmt.Errorf("find link: %w", err)
	}
	if peer, err := in.LinkByName("eth0"); err == nil && bytes.Equal(peer.Attrs().HardwareAddr, mac) {
		return joinBridge(old, n.bridge) // an earlier Setup got this far
	}
	if err := netlink.LinkDel(old); err != nil { // its other end is in a namespace that is going
		return fmt.Errorf("remove old link: %w", err)
	}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("make link: %w", err)
	}
	return hairpin(veth)
}

// hairpin lets a container reach itself through a published port where br_netfilter translates on the bridge.
func hairpin(l netlink.Link) error {
	if err := netlink.LinkSetHairpin(l, true); err != nil {
		return fmt.Errorf("set hairpin: %w", err)
	}
	return nil
}

func joinBridge(l netlink.Link, bridge int) error {
	if err := netlink.LinkSetMasterByIndex(l, bridge); err != nil {
		return fmt.Errorf("join bridge: %w", err)
	}
	if err := netlink.LinkSetUp(l); err != nil {
		return fmt.Errorf("set link up: %w", err)
	}
	return hairpin(l)
}

// configure works inside the namespace. An address outside the node's subnet gets a host route each way.
func (n *Network) configure(e *entry, in *netlink.Handle) error {
	ip, err := netip.ParseAddr(e.IPv4)
	if err != nil {
		return fmt.Errorf("address of the sandbox: %w", err)
	}
	eth0, err := in.LinkByName("eth0")
	if err != nil {
		return fmt.Errorf("find eth0: %w", err)
	}
	bits, inside := n.cfg.Subnet.Bits(), n.cfg.Subnet.Contains(ip)
	if !inside {
		bits = 32
	}
	if err := in.AddrReplace(eth0, &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(ip, bits))}); err != nil {
		return fmt.Errorf("set address: %w", err)
	}
	if err := in.LinkSetUp(eth0); err != nil {
		return fmt.Errorf("set eth0 up: %w", err)
	}
	route := &netlink.Route{LinkIndex: eth0.Attrs().Index, Gw: n.gateway.AsSlice()}
	if !inside {
		route.Flags = int(netlink.FLAG_ONLINK)
		if err := netlink.RouteReplace(n.hostRoute(ip)); err != nil {
			return fmt.Errorf("route to the sandbox: %w", err)
		}
	}
	if err := in.RouteReplace(route); err != nil {
		return fmt.Errorf("set default route: %w", err)
	}
	return nil
}

func (n *Network) hostRoute(ip netip.Addr) *netlink.Route {
	return &netlink.Route{LinkIndex: n.bridge, Dst: ipNet(netip.PrefixFrom(ip, 32)), Scope: netlink.SCOPE_LINK}
}

// linkGone says whether the node's end of the sandbox's link has vanished.
func (n *Network) linkGone(e *entry) bool {
	_, err := netlink.LinkByName(e.link(n.cfg.Bridge))
	var missing netlink.LinkNotFoundError
	return errors.As(err, &missing)
}

// removeLink removes the link by force and the route of an address outside the subnet.
func (n *Network) removeLink(e *entry) error {
	if l, err := netlink.LinkByName(e.link(n.cfg.Bridge)); err == nil {
		if err := netlink.LinkDel(l); err != nil && !errors.Is(err, unix.ENODEV) {
			return fmt.Errorf("remove link: %w", err)
		}
	}
	ip, err := netip.ParseAddr(e.IPv4)
	if err != nil || n.cfg.Subnet.Contains(ip) {
		return nil
	}
	if err := netlink.RouteDel(n.hostRoute(ip)); err != nil && !errors.Is(err, unix.ESRCH) && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("remove route: %w", err)
	}
	return nil
}
