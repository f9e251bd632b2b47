package network

import (
	"fmt"
	"net/netip"
)

// addresses hands out the subnet's addresses in turn, so that one that was freed comes again as late as possible.
type addresses struct {
	subnet netip.Prefix
	last   netip.Addr // handed out last
	used   map[netip.Addr]bool
}

func newAddresses(subnet netip.Prefix) addresses {
	bridge := subnet.Addr().Next()
	return addresses{subnet: subnet, last: bridge, used: map[netip.Addr]bool{bridge: true}}
}

// next takes a free address; neither the network's nor the broadcast one.
func (a *addresses) next() (netip.Addr, error) {
	ip := a.last
	for range 1 << (32 - a.subnet.Bits()) {
		ip = ip.Next()
		if !a.subnet.Contains(ip.Next()) { // ip is the broadcast address, or beyond
			ip = a.subnet.Addr()
			continue
		}
		if !a.used[ip] && ip != a.subnet.Addr() {
			a.used[ip], a.last = true, ip
			return ip, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("no free address in %s", a.subnet)
}

// take takes a given address, of the subnet or not, and says whether it was free.
func (a *addresses) take(ip netip.Addr) bool {
	if a.used[ip] {
		return false
	}
	a.used[ip] = true
	return true
}

func (a *addresses) free(ip netip.Addr) { delete(a.used, ip) }
