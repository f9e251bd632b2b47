package agent

import (
	"fmt"
	"net/netip"

	"github.com/roadstead/roadstead/agent/network"
)

// networkConfig splits the node's subnet: the node itself gives out the lower half (bridge mode), the control plane
// the upper half (awsvpc), which it learns from the attribute roadstead.subnet.
func (a *Agent) networkConfig() (network.Config, error) {
	subnet, err := netip.ParsePrefix(a.cfg.Subnet)
	if err != nil || !subnet.Addr().Is4() || subnet.Bits() > 28 {
		return network.Config{}, fmt.Errorf("subnet %q is not an IPv4 network of at least 16 addresses", a.cfg.Subnet)
	}
	return network.Config{
		Dir: a.dir("network"), Bridge: "rs-" + a.cfg.Name, Subnet: subnet.Masked(), UserBase: a.userBase(), Logger: a.cfg.Log,
	}, nil
}

// userBase is where FARGATE tasks' users begin, 0 if they are the node's own. A machine that has no user namespaces still runs
// such tasks, and says that they are kept apart less well.
func (a *Agent) userBase() uint32 {
	if a.cfg.Runtime != "" || a.cfg.UserBase == 0 {
		return 0
	}
	if err := network.TryUserNamespace(a.cfg.UserBase); err != nil {
		a.cfg.Log.Warn("FARGATE tasks run without user namespaces on this machine", "err", err)
		return 0
	}
	return a.cfg.UserBase
}

// eniSubnet is the upper half of the node's subnet.
func eniSubnet(subnet string) string {
	p, err := netip.ParsePrefix(subnet)
	if err != nil {
		return ""
	}
	b := p.Masked().Addr().As4()
	half := p.Bits() // the first host bit
	b[half/8] |= 0x80 >> (half % 8)
	return netip.PrefixFrom(netip.AddrFrom4(b), half+1).String()
}
