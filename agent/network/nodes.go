package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	goruntime "runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// Nodes is a private network on this machine that joins several nodes, each in a network namespace of its own, as a
// switch joins machines: for learning, and for tests of what crosses nodes. Node i has the address BASE+10+i, and the
// machine itself BASE+1.
type Nodes struct {
	bridge string
	base   netip.Addr // 10.87.0.0
	names  []string   // of the namespaces
}

// NewNodes makes the bridge, or takes the one that an earlier process left.
func NewNodes(bridge string, base netip.Addr) (*Nodes, error) {
	n := &Nodes{bridge: bridge, base: base}
	link, err := netlink.LinkByName(bridge)
	if err != nil {
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: bridge}}); err != nil {
			return nil, fmt.Errorf("make bridge %s: %w", bridge, err)
		}
		if link, err = netlink.LinkByName(bridge); err != nil {
			return nil, fmt.Errorf("find bridge %s: %w", bridge, err)
		}
	}
	if err := assign(link, netip.PrefixFrom(n.host(1), 16)); err != nil {
		return nil, err
	}
	return n, os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
}

// host is the i-th address of the network.
func (n *Nodes) host(i int) netip.Addr {
	b := n.base.As4()
	b[3] += byte(i)
	return netip.AddrFrom4(b)
}

// Node is one namespace of Nodes.
type Node struct {
	Name    string
	Address netip.Addr // at which the machine and other nodes reach it
}

// Add makes the i-th node (from 0), whose tasks have addresses in subnet, or takes the one that an earlier process left.
func (n *Nodes) Add(name string, i int, subnet netip.Prefix) (*Node, error) {
	x := &Node{Name: name, Address: n.host(10 + i)}
	if err := n.ensureNamespace(name); err != nil {
		return nil, fmt.Errorf("make network namespace %s: %w", name, err)
	}
	n.names = append(n.names, name)
	if err := n.plug(x); err != nil {
		return nil, fmt.Errorf("connect node %s: %w", name, err)
	}
	route := &netlink.Route{Dst: ipNet(subnet), Gw: x.Address.AsSlice()}
	if err := netlink.RouteReplace(route); err != nil {
		return nil, fmt.Errorf("route to node %s: %w", name, err)
	}
	return x, nil
}

func (n *Nodes) ensureNamespace(name string) error {
	if h, err := netns.GetFromName(name); err == nil {
		return h.Close()
	}
	goruntime.LockOSThread()
	home, err := netns.Get()
	if err != nil {
		goruntime.UnlockOSThread()
		return err
	}
	defer home.Close()
	h, err := netns.NewNamed(name)
	if backErr := netns.Set(home); backErr != nil {
		return errors.Join(err, backErr) // the thread stays locked and dies with its goroutine
	}
	goruntime.UnlockOSThread()
	if err != nil {
		return err
	}
	return h.Close()
}

// plug gives the node an interface eth0 on the bridge, and a route to everywhere through the machine.
func (n *Nodes) plug(x *Node) error {
	h, err := netns.GetFromName(x.Name)
	if err != nil {
		return err
	}
	defer h.Close()
	in, err := netlink.NewHandleAt(h)
	if err != nil {
		return err
	}
	defer in.Close()
	if _, err := in.LinkByName("eth0"); err != nil {
		if err := n.wire(x, h); err != nil {
			return err
		}
	}
	for _, name := range []string{"lo", "eth0"} {
		link, err := in.LinkByName(name)
		if err != nil {
			return err
		}
		if err := in.LinkSetUp(link); err != nil {
			return err
		}
	}
	eth, err := in.LinkByName("eth0")
	if err != nil {
		return err
	}
	a := &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(x.Address, 16))}
	if err := in.AddrReplace(eth, a); err != nil {
		return err
	}
	return in.RouteReplace(&netlink.Route{LinkIndex: eth.Attrs().Index, Gw: n.host(1).AsSlice()})
}

// wire makes the veth pair between the bridge and the namespace.
func (n *Nodes) wire(x *Node, h netns.NsHandle) error {
	bridge, err := netlink.LinkByName(n.bridge)
	if err != nil {
		return err
	}
	attrs := netlink.LinkAttrs{Name: vethName(x.Name), MasterIndex: bridge.Attrs().Index}
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(h)}); err != nil {
		return err
	}
	outer, err := netlink.LinkByName(attrs.Name)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(outer)
}

// vethName is the machine's end of a node's cable; names of interfaces have at most 15 bytes.
func vethName(node string) string {
	if len(node) > 12 {
		node = node[len(node)-12:]
	}
	return "ve-" + node
}

// Do calls f on a thread that is in the node's namespace: sockets that f opens and processes that it starts belong to
// the node.
func (x *Node) Do(f func() error) error {
	done := make(chan error, 1)
	go func() { // a goroutine of its own, so that a thread that cannot go home dies with it
		goruntime.LockOSThread()
		done <- x.visit(f)
	}()
	return <-done
}

func (x *Node) visit(f func() error) error {
	home, err := netns.Get()
	if err != nil {
		return err
	}
	defer home.Close()
	h, err := netns.GetFromName(x.Name)
	if err != nil {
		return err
	}
	defer h.Close()
	if err := netns.Set(h); err != nil {
		return err
	}
	err = f()
	if backErr := netns.Set(home); backErr != nil {
		return errors.Join(err, backErr)
	}
	goruntime.UnlockOSThread()
	return err
}

// Close removes the namespaces and the bridge.
func (n *Nodes) Close() error {
	var errs []error
	for _, name := range n.names {
		errs = append(errs, netns.DeleteNamed(name))
		if link, err := netlink.LinkByName(vethName(name)); err == nil { // else the kernel was quicker
			_ = netlink.LinkDel(link)
		}
	}
	if link, err := netlink.LinkByName(n.bridge); err == nil {
		errs = append(errs, netlink.LinkDel(link))
	}
	return errors.Join(errs...)
}

// assign gives the link an address and switches it on.
func assign(link netlink.Link, p netip.Prefix) error {
	if err := netlink.AddrReplace(link, &netlink.Addr{IPNet: ipNet(p)}); err != nil {
		return fmt.Errorf("give %s to %s: %w", p, link.Attrs().Name, err)
	}
	return netlink.LinkSetUp(link)
}
