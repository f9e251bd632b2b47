package scheduler

import (
	"net/netip"
	"slices"

	"github.com/roadstead/roadstead/model"
)

// freeAddress is the lowest address of the instance's subnet that no task holds, leaving out the subnet's first and last;
// "" if the instance registered no subnet or has none left.
func (c *candidate) freeAddress() string {
	a, _ := c.instance.Attribute(model.SubnetAttribute)
	subnet, err := netip.ParsePrefix(a.Value)
	if err != nil {
		return ""
	}
	for ip := subnet.Masked().Addr().Next(); subnet.Contains(ip.Next()); ip = ip.Next() {
		if s := ip.String(); !slices.Contains(c.used.Addresses, s) {
			return s
		}
	}
	return ""
}
