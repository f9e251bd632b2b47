package network

import (
	"fmt"
	"net/netip"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/roadstead/roadstead/agent/task"
)

// ruleset is the node's nft table. Its rules never change; what changes are three sets that they look into:
//
//	map tcp, udp   { node's port : container's address . port }
//	set outside    { container's address not in the subnet }
//
// so that publishing a port costs the same with one container and a thousand.
type ruleset struct {
	bridge string
	subnet netip.Prefix
	// metadata is the address at whose port 80 containers ask for server, and for endpoint at the same port as there; invalid:
	// they do not.
	metadata         netip.Addr
	server, endpoint netip.AddrPort

	table   *nftables.Table
	maps    map[string]*nftables.Set // by protocol
	outside *nftables.Set

	mu sync.Mutex // one transaction at a time
}

func newRuleset(bridge string, subnet netip.Prefix) *ruleset {
	t := &nftables.Table{Family: nftables.TableFamilyIPv4, Name: "roadstead-" + bridge}
	r := &ruleset{bridge: bridge, subnet: subnet, table: t, maps: map[string]*nftables.Set{}}
	for i, p := range []string{"tcp", "udp"} {
		r.maps[p] = &nftables.Set{
			Table: t, Name: p, ID: uint32(i + 1), IsMap: true, KeyType: nftables.TypeInetService,
			DataType: nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetService),
		}
	}
	r.outside = &nftables.Set{Table: t, Name: "outside", ID: 3, KeyType: nftables.TypeIPAddr}
	return r
}

// published is what one sandbox needs of the ruleset.
type published struct {
	ip       string
	bindings []task.Binding
}

// reset replaces the table as a whole, in one transaction.
func (r *ruleset) reset(all []published) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	c.AddTable(r.table) // so that the deletion finds one
	c.DelTable(r.table)
	c.AddTable(r.table)
	for _, s := range []*nftables.Set{r.maps["tcp"], r.maps["udp"], r.outside} {
		if err := c.AddSet(s, nil); err != nil {
			return fmt.Errorf("make nft set: %w", err)
		}
	}
	r.addRules(c)
	for _, p := range all {
		if err := r.change(c.SetAddElements, p); err != nil {
			return err
		}
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("write nft table: %w", err)
	}
	return nil
}

func (r *ruleset) addRules(c *nftables.Conn) {
	chain := func(name string, kind nftables.ChainType, hook *nftables.ChainHook, priority *nftables.ChainPriority) *nftables.Chain {
		return c.AddChain(&nftables.Chain{Table: r.table, Name: name, Type: kind, Hooknum: hook, Priority: priority})
	}
	rule := func(to *nftables.Chain, exprs ...[]expr.Any) {
		var all []expr.Any
		for _, e := range exprs {
			all = append(all, e...)
		}
		c.AddRule(&nftables.Rule{Table: r.table, Chain: to, Exprs: all})
	}
	guard := chain("guard", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, nftables.ChainPriorityRaw)
	rule(guard, ifname(expr.MetaKeyIIFNAME, expr.CmpOpEq, r.bridge), address(daddr, loopback), verdict(expr.VerdictDrop))

	prerouting := chain("prerouting", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, nftables.ChainPriorityNATDest)
	output := chain("output", nftables.ChainTypeNAT, nftables.ChainHookOutput, nftables.ChainPriorityNATDest)
	if r.metadata.IsValid() { // before published ports: 80 may be one
		for port, to := range map[uint16]netip.AddrPort{80: r.server, r.endpoint.Port(): r.endpoint} {
			asks := [][]expr.Any{address(daddr, netip.PrefixFrom(r.metadata, 32)), l4proto(unix.IPPROTO_TCP), dport(port), dnatTo(to)}
			rule(prerouting, append([][]expr.Any{ifname(expr.MetaKeyIIFNAME, expr.CmpOpEq, r.bridge)}, asks...)...)
			rule(output, asks...)
		}
	}
	for _, ch := range []*nftables.Chain{prerouting, output} {
		rule(ch, toNode(), l4proto(unix.IPPROTO_TCP), dnat(r.maps["tcp"]))
		rule(ch, toNode(), l4proto(unix.IPPROTO_UDP), dnat(r.maps["udp"]))
	}

	post := chain("postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource)
	masquerade := []expr.Any{&expr.Masq{}}
	toBridge, away := ifname(expr.MetaKeyOIFNAME, expr.CmpOpEq, r.bridge), ifname(expr.MetaKeyOIFNAME, expr.CmpOpNeq, r.bridge)
	rule(post, address(saddr, loopback), toBridge, masquerade)
	// A container that uses a published port of its neighbour, or its own, must get the answer from the node.
	rule(post, address(saddr, r.subnet), toBridge, translated(), masquerade)
	rule(post, address(saddr, r.subnet), away, masquerade)
	rule(post, inSet(saddr, r.outside), away, masquerade)
}

// publish lets the node's ports reach the sandbox; again is nothing new.
func (r *ruleset) publish(p published) error {
	return r.apply(p, func(c *nftables.Conn) error { return r.change(c.SetAddElements, p) })
}

// unpublish takes them away. To delete what is not there fails, so it adds them first, in the same transaction.
func (r *ruleset) unpublish(p published) error {
	return r.apply(p, func(c *nftables.Conn) error {
		if err := r.change(c.SetAddElements, p); err != nil {
			return err
		}
		return r.change(c.SetDeleteElements, p)
	})
}

// apply runs one transaction, if the sandbox has anything in the table at all.
func (r *ruleset) apply(p published, change func(*nftables.Conn) error) error {
	if len(p.bindings) == 0 && !r.isOutside(p.ip) {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	if err := change(c); err != nil {
		return err
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("change nft table: %w", err)
	}
	return nil
}

func (r *ruleset) isOutside(ip string) bool {
	a, err := netip.ParseAddr(ip)
	return err == nil && !r.subnet.Contains(a)
}

// change adds or removes the elements of one sandbox.
func (r *ruleset) change(do func(*nftables.Set, []nftables.SetElement) error, p published) error {
	ip, err := netip.ParseAddr(p.ip)
	if err != nil {
		return fmt.Errorf("address of the sandbox: %w", err)
	}
	elements := map[string][]nftables.SetElement{}
	for _, b := range p.bindings {
		eachPort(b, func(host, container int32) {
			to := append(ip.AsSlice(), binaryutil.BigEndian.PutUint16(uint16(container))...)
			elements[b.Protocol] = append(elements[b.Protocol], nftables.SetElement{
				Key: binaryutil.BigEndian.PutUint16(uint16(host)), Val: append(to, 0, 0), // each part fills 4 bytes
			})
		})
	}
	for protocol, s := range r.maps {
		if len(elements[protocol]) > 0 {
			if err := do(s, elements[protocol]); err != nil {
				return fmt.Errorf("change nft map: %w", err)
			}
		}
	}
	if !r.isOutside(p.ip) {
		return nil
	}
	if err := do(r.outside, []nftables.SetElement{{Key: ip.AsSlice()}}); err != nil {
		return fmt.Errorf("change nft set: %w", err)
	}
	return nil
}

// remove takes the table, and our accepts in others', off the machine.
func (r *ruleset) remove() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	if err := r.dropAccepts(c); err != nil {
		return err
	}
	c.AddTable(r.table)
	c.DelTable(r.table)
	if err := c.Flush(); err != nil {
		return fmt.Errorf("remove nft table: %w", err)
	}
	return nil
}
