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
	return network.Config{Dir: a.dir("network"), Bridge: "rs-" + a.cfg.Name, Subnet: subnet.Masked(), Logger: a.cfg.Log}, nil
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
