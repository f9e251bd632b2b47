package network

import (
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/roadstead/roadstead/acs"
)

// proxyTable is in the namespace of a sandbox whose connections pass through a proxy (docs/decisions/039), and goes with it:
//
//	chain out   what leaves, but for the proxy's own and what is ignored, goes to the proxy's port for it at the loopback
//	chain in    what comes to the application's ports from elsewhere goes to the proxy's other port
const proxyTable = "roadstead-proxy"

// redirect makes the table anew, in one transaction.
func (n *Network) redirect(e *entry) error {
	if e.Redirection == nil {
		return nil
	}
	ip, err := netip.ParseAddr(e.IPv4)
	if err != nil {
		return fmt.Errorf("address of the sandbox: %w", err)
	}
	space, err := netns.GetFromPath(n.netns.path(e.name()))
	if err != nil {
		return fmt.Errorf("open network namespace: %w", err)
	}
	defer space.Close()
	c, err := nftables.New(nftables.WithNetNSFd(int(space)))
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	t := &nftables.Table{Family: nftables.TableFamilyIPv4, Name: proxyTable}
	c.AddTable(t) // so that the deletion finds one
	c.DelTable(t)
	c.AddTable(t)
	for name, hook := range map[string]struct {
		at    *nftables.ChainHook
		rules [][]expr.Any
	}{
		"out": {nftables.ChainHookOutput, outgoing(e.Redirection)},
		"in":  {nftables.ChainHookPrerouting, incoming(e.Redirection, ip)},
	} {
		chain := c.AddChain(&nftables.Chain{Table: t, Name: name, Type: nftables.ChainTypeNAT, Hooknum: hook.at, Priority: nftables.ChainPriorityNATDest})
		for _, r := range hook.rules {
			c.AddRule(&nftables.Rule{Table: t, Chain: chain, Exprs: r})
		}
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("redirect connections to the proxy: %w", err)
	}
	return nil
}

// outgoing are the rules for connections that leave. Users are numbered as the sandbox's user namespace does.
func outgoing(r *acs.Redirection) [][]expr.Any {
	back := verdict(expr.VerdictReturn)
	rules := [][]expr.Any{all(local(daddr), back)}
	for key, id := range map[expr.MetaKey]*uint32{expr.MetaKeySKUID: r.IgnoredUID, expr.MetaKeySKGID: r.IgnoredGID} {
		if id != nil {
			rules = append(rules, all(owner(key, *id), back))
		}
	}
	for _, p := range r.IgnoredIPs {
		rules = append(rules, all(address(daddr, p), back))
	}
	for _, port := range r.IgnoredPorts {
		rules = append(rules, all(l4proto(unix.IPPROTO_TCP), dport(port), back))
	}
	return append(rules, all(l4proto(unix.IPPROTO_TCP), dnatTo(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), r.Egress))))
}

// incoming are the rules for connections that arrive at the sandbox's address.
func incoming(r *acs.Redirection, ip netip.Addr) [][]expr.Any {
	rules := [][]expr.Any{all(local(saddr), verdict(expr.VerdictReturn))}
	for _, port := range r.AppPorts {
		rules = append(rules, all(l4proto(unix.IPPROTO_TCP), dport(port), dnatTo(netip.AddrPortFrom(ip, r.Ingress))))
	}
	return rules
}

// all is one rule of several conditions and what to do.
func all(parts ...[]expr.Any) (out []expr.Any) {
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// owner: meta skuid 1337.
func owner(key expr.MetaKey, id uint32) []expr.Any {
	return []expr.Any{&expr.Meta{Key: key, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(id)}}
}
