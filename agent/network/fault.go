package network

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/roadstead/roadstead/agent/task"
)

// Faults live in nft tables of the namespace that they are in, and are remembered nowhere else:
//
//	table inet   roadstead-fault-BRIDGE-TASK   a chain for each black hole; an empty one, "latency", beside netem
//	table netdev roadstead-fault-BRIDGE-TASK   the chain "loss", at the egress of the interface
//
// Those of an awsvpc sandbox go with its namespace; of a task in mode host, whose namespace is the node's, Release removes them.
const (
	latencyChain = "latency"
	lossChain    = "loss"
)

// faultTable is the name of a task's tables.
func (n *Network) faultTable(taskID string) string {
	return "roadstead-fault-" + n.cfg.Bridge + "-" + taskID
}

// site is where a task's faults happen.
type site struct {
	nft    *nftables.Conn
	links  *netlink.Handle
	inet   *nftables.Table
	netdev *nftables.Table
	device func() (netlink.Link, error) // that packets leave by
	keep   []netip.Prefix               // addresses of the metadata server, which no fault cuts off
}

// atSite opens the namespace of a task's sandbox, of one without a path the node's own, and calls f.
func (n *Network) atSite(s task.Sandbox, f func(*site) error) error {
	x := &site{
		inet:   &nftables.Table{Family: nftables.TableFamilyINet, Name: n.faultTable(s.TaskID)},
		netdev: &nftables.Table{Family: nftables.TableFamilyNetdev, Name: n.faultTable(s.TaskID)},
		keep:   []netip.Prefix{netip.PrefixFrom(n.gateway, 32)},
	}
	if ip, err := netip.ParseAddr(n.cfg.MetadataIP); err == nil {
		x.keep = append(x.keep, netip.PrefixFrom(ip, 32))
	}
	space, err := netns.Get()
	if s.Path != "" {
		space, err = netns.GetFromPath(s.Path)
	}
	if err != nil {
		return fmt.Errorf("open network namespace: %w", err)
	}
	defer space.Close()
	if x.links, err = netlink.NewHandleAt(space); err != nil {
		return fmt.Errorf("open network namespace: %w", err)
	}
	defer x.links.Close()
	if x.nft, err = nftables.New(nftables.WithNetNSFd(int(space))); err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	x.device = func() (netlink.Link, error) {
		if s.Path != "" {
			return x.links.LinkByName("eth0")
		}
		return x.wayOut()
	}
	return f(x)
}

// wayOut is the interface of the node's default route.
func (x *site) wayOut() (netlink.Link, error) {
	routes, err := x.links.RouteList(nil, unix.AF_INET)
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	for _, r := range routes {
		if r.Dst == nil || r.Dst.IP.IsUnspecified() {
			return x.links.LinkByIndex(r.LinkIndex)
		}
	}
	return nil, errors.New("the node has no default route, so no interface to disturb")
}

// StartFault starts a fault in a task's sandbox; one that runs goes on as it is.
func (n *Network) StartFault(s task.Sandbox, f task.Fault) error {
	return n.atSite(s, func(x *site) error {
		if runs, err := x.runs(f); err != nil || runs {
			return err
		}
		f.Except = slices.Concat(f.Except, x.keep)
		switch f.Kind {
		case task.FaultBlackhole:
			return x.blackhole(f)
		case task.FaultPacketLoss:
			return x.lose(f)
		}
		return x.delay(f)
	})
}

// StopFault ends a fault, if it runs.
func (n *Network) StopFault(s task.Sandbox, f task.Fault) error {
	return n.atSite(s, func(x *site) error {
		if runs, err := x.runs(f); err != nil || !runs {
			return err
		}
		return x.stop(f)
	})
}

// FaultRuns says whether a fault runs: a black hole at the port, or any of the other kinds.
func (n *Network) FaultRuns(s task.Sandbox, f task.Fault) (runs bool, err error) {
	err = n.atSite(s, func(x *site) (err error) { runs, err = x.runs(f); return err })
	return runs, err
}

// chain is the name and the table of the fault's chain.
func (x *site) chain(f task.Fault) (*nftables.Table, string) {
	switch f.Kind {
	case task.FaultBlackhole:
		return x.inet, f.Traffic + "-" + f.Protocol + "-" + strconv.Itoa(int(f.Port))
	case task.FaultPacketLoss:
		return x.netdev, lossChain
	}
	return x.inet, latencyChain
}

func (x *site) runs(f task.Fault) (bool, error) {
	table, name := x.chain(f)
	chains, err := x.nft.ListChainsOfTableFamily(table.Family)
	if err != nil {
		return false, fmt.Errorf("list nft chains: %w", err)
	}
	return slices.ContainsFunc(chains, func(c *nftables.Chain) bool { return c.Table.Name == table.Name && c.Name == name }), nil
}

func (x *site) stop(f task.Fault) error {
	if f.Kind == task.FaultLatency {
		if err := x.hasten(); err != nil {
			return err
		}
	}
	table, name := x.chain(f)
	c := &nftables.Chain{Table: table, Name: name}
	x.nft.FlushChain(c)
	x.nft.DelChain(c)
	if err := x.nft.Flush(); err != nil {
		return fmt.Errorf("remove nft chain: %w", err)
	}
	return nil
}

// end removes all faults of the task.
func (x *site) end() error {
	if runs, err := x.runs(task.Fault{Kind: task.FaultLatency}); err != nil {
		return err
	} else if runs {
		if err := x.hasten(); err != nil {
			return err
		}
	}
	for _, t := range []*nftables.Table{x.inet, x.netdev} {
		x.nft.AddTable(t) // so that the deletion finds one
		x.nft.DelTable(t)
	}
	if err := x.nft.Flush(); err != nil {
		return fmt.Errorf("remove nft tables: %w", err)
	}
	return nil
}

// faulty are the tasks of this node with faults in the node's own namespace.
func (n *Network) faulty() ([]string, error) {
	var out []string
	err := n.atSite(task.Sandbox{}, func(x *site) error {
		tables, err := x.nft.ListTables()
		for _, t := range tables {
			if id, ours := strings.CutPrefix(t.Name, n.faultTable("")); ours && !slices.Contains(out, id) {
				out = append(out, id)
			}
		}
		return err
	})
	return out, err
}

// endFaults removes what a task in mode host has left.
func (n *Network) endFaults(taskID string) error {
	ids, err := n.faulty()
	if err != nil || !slices.Contains(ids, taskID) {
		return err
	}
	return n.atSite(task.Sandbox{TaskID: taskID}, (*site).end)
}

// EndFaults removes what tasks in mode host have left.
func (n *Network) EndFaults() error {
	ids, err := n.faulty()
	for _, id := range ids {
		err = errors.Join(err, n.endFaults(id))
	}
	return err
}

// blackhole drops packets to a port, on their way in or out.
func (x *site) blackhole(f task.Fault) error {
	_, name := x.chain(f)
	hook, from := nftables.ChainHookInput, uint32(saddr)
	if f.Traffic == "egress" {
		hook, from = nftables.ChainHookOutput, daddr
	}
	x.nft.AddTable(x.inet)
	c := x.nft.AddChain(&nftables.Chain{Table: x.inet, Name: name, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: nftables.ChainPriorityFilter})
	protocol := byte(unix.IPPROTO_TCP)
	if f.Protocol == "udp" {
		protocol = unix.IPPROTO_UDP
	}
	for _, p := range f.Except {
		x.rule(c, ofFamily(p), block(from, p), verdict(expr.VerdictAccept))
	}
	x.rule(c, l4proto(protocol), dport(f.Port), verdict(expr.VerdictDrop))
	return x.flush()
}

// lose drops some of the packets that leave for the sources, where the interface takes them: to who sends them they are gone on
// the way, as in a bad network, and not refused.
func (x *site) lose(f task.Fault) error {
	link, err := x.device()
	if err != nil {
		return err
	}
	x.nft.AddTable(x.netdev)
	c := x.nft.AddChain(&nftables.Chain{Table: x.netdev, Name: lossChain, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookEgress,
		Priority: nftables.ChainPriorityFilter, Device: link.Attrs().Name})
	for _, p := range f.Except {
		x.rule(c, ofProtocol(p), block(daddr, p), verdict(expr.VerdictAccept))
	}
	for _, p := range f.Sources {
		x.rule(c, ofProtocol(p), block(daddr, p), percent(f.Percent), verdict(expr.VerdictDrop))
	}
	return x.flush()
}

func (x *site) flush() error {
	if err := x.nft.Flush(); err != nil {
		return fmt.Errorf("write nft table: %w", err)
	}
	return nil
}

func (x *site) rule(c *nftables.Chain, exprs ...[]expr.Any) {
	x.nft.AddRule(&nftables.Rule{Table: c.Table, Chain: c, Exprs: slices.Concat(exprs...)})
}

// ofFamily: meta nfproto ipv4.
func ofFamily(p netip.Prefix) []expr.Any {
	family := byte(unix.NFPROTO_IPV4)
	if p.Addr().Is6() {
		family = unix.NFPROTO_IPV6
	}
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{family}}}
}

// ofProtocol: meta protocol ip.
func ofProtocol(p netip.Prefix) []expr.Any {
	protocol := uint16(unix.ETH_P_IP)
	if p.Addr().Is6() {
		protocol = unix.ETH_P_IPV6
	}
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyPROTOCOL, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.BigEndian.PutUint16(protocol)}}
}

// block is address, also of IPv6: at is where IPv4 has it.
func block(at uint32, p netip.Prefix) []expr.Any {
	if p.Addr().Is4() && p.Bits() > 0 {
		return address(at, p)
	}
	if p.Bits() == 0 {
		return nil // any
	}
	offset := map[uint32]uint32{saddr: 8, daddr: 24}[at]
	mask := make([]byte, 16)
	for i := range p.Bits() {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: 16},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 16, Mask: mask, Xor: make([]byte, 16)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: p.Masked().Addr().AsSlice()},
	}
}

// percent: numgen random mod 100 < 30.
func percent(n uint32) []expr.Any {
	return []expr.Any{
		&expr.Numgen{Register: 1, Modulus: 100, Type: unix.NFT_NG_RANDOM},
		&expr.Byteorder{SourceRegister: 1, DestRegister: 1, Op: expr.ByteorderHton, Len: 4, Size: 4},
		&expr.Cmp{Op: expr.CmpOpLt, Register: 1, Data: binaryutil.BigEndian.PutUint32(n)},
	}
}
