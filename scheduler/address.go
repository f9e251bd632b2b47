package scheduler

import (
	"net/netip"
	"slices"

	"github.com/roadstead/roadstead/model"
)

// subnet is what the instance's awsvpc tasks get their addresses from; it is not valid if the instance registered none.
func (c *candidate) subnet() netip.Prefix {
	a, _ := c.instance.Attribute(model.SubnetAttribute)
	p, err := netip.ParsePrefix(a.Value)
	if err != nil {
		return netip.Prefix{}
	}
	return p.Masked()
}

// freeAddress is the lowest address of the subnet that no task holds, leaving out its first and last; "" if there is none.
func (c *candidate) freeAddress() string {
	subnet := c.subnet()
	for ip := subnet.Addr().Next(); subnet.Contains(ip.Next()); ip = ip.Next() {
		if s := ip.String(); !slices.Contains(c.used.Addresses, s) {
			return s
		}
	}
	return ""
}
