package scheduler

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sort"

	"github.com/roadstead/roadstead/model"
)

// addresses are those that a node's tasks have. Of a node with a subnet their offsets in it are kept sorted, so that the
// lowest free one is found without a look at each.
type addresses struct {
	prefix  netip.Prefix // not valid: the instance registered no subnet
	held    []netip.Addr // by tasks, in the subnet or not
	offsets []uint64     // of those in it
}

// subnet is what the instance's awsvpc tasks get their addresses from; nil has none.
func (x *addresses) subnet(i *model.Instance) {
	prefix := netip.Prefix{}
	if i != nil {
		a, _ := i.Attribute(model.SubnetAttribute)
		if p, err := netip.ParsePrefix(a.Value); err == nil {
			prefix = p.Masked()
		}
	}
	if prefix == x.prefix {
		return
	}
	x.prefix, x.offsets = prefix, nil
	for _, ip := range x.held {
		x.mark(ip)
	}
}

// take gives an address to a task (sign 1), or has it back.
func (x *addresses) take(address string, sign int64) {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return
	}
	if sign > 0 {
		x.held = append(x.held, ip)
		x.mark(ip)
		return
	}
	if i := slices.Index(x.held, ip); i >= 0 {
		x.held = slices.Delete(x.held, i, i+1)
	}
	if x.prefix.Contains(ip) && !slices.Contains(x.held, ip) {
		if i, ok := slices.BinarySearch(x.offsets, x.offset(ip)); ok {
			x.offsets = slices.Delete(x.offsets, i, i+1)
		}
	}
}

func (x *addresses) mark(ip netip.Addr) {
	if !x.prefix.Contains(ip) {
		return
	}
	at := x.offset(ip)
	if i, ok := slices.BinarySearch(x.offsets, at); !ok {
		x.offsets = slices.Insert(x.offsets, i, at)
	}
}

// offset counts from the subnet's first address; of an IPv6 subnet only the last 64 bits are used.
func (x *addresses) offset(ip netip.Addr) uint64 { return low(ip) - low(x.prefix.Addr()) }

func low(ip netip.Addr) uint64 {
	b := ip.As16()
	return binary.BigEndian.Uint64(b[8:])
}

// free is the lowest offset that no task has, leaving out the subnet's first and last address; ok is false if there is none.
func (x *addresses) free() (offset uint64, ok bool) {
	from, _ := slices.BinarySearch(x.offsets, 1) // a task that has the first address does not matter
	in := x.offsets[from:]
	offset = uint64(sort.Search(len(in), func(i int) bool { return in[i] != uint64(i)+1 })) + 1
	bits := min(63, x.prefix.Addr().BitLen()-x.prefix.Bits())
	return offset, x.prefix.IsValid() && offset < 1<<bits-1
}

// lowest is the lowest free address; "" if there is none.
func (x *addresses) lowest() string {
	offset, ok := x.free()
	if !ok {
		return ""
	}
	b := x.prefix.Addr().As16()
	binary.BigEndian.PutUint64(b[8:], low(x.prefix.Addr())+offset)
	ip := netip.AddrFrom16(b)
	if x.prefix.Addr().Is4() {
		ip = ip.Unmap()
	}
	return ip.String()
}

// exhausted reports whether the subnet, if there is one, has no address left.
func (x *addresses) exhausted() bool {
	_, ok := x.free()
	return !ok && x.prefix.IsValid()
}
