package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/roadstead/roadstead/agent/task"
)

// delay holds packets up that leave for the sources: netem in the first band of a queue whose other traffic all goes into the
// third. A kernel without netem or prio refuses, and then nothing is left.
func (x *site) delay(f task.Fault) error {
	link, err := x.device()
	if err != nil {
		return err
	}
	at := link.Attrs().Index
	prio := netlink.NewPrio(netlink.QdiscAttrs{LinkIndex: at, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT})
	for i := range prio.PriorityMap {
		prio.PriorityMap[i] = 2
	}
	// The mark first: a kill in between leaves something that Stop and Release find.
	x.nft.AddTable(x.inet)
	x.nft.AddChain(&nftables.Chain{Table: x.inet, Name: latencyChain})
	if err := x.flush(); err != nil {
		return err
	}
	err = x.links.QdiscAdd(prio)
	if err == nil {
		err = x.links.QdiscAdd(netlink.NewNetem(
			netlink.QdiscAttrs{LinkIndex: at, Handle: netlink.MakeHandle(10, 0), Parent: netlink.MakeHandle(1, 1)},
			netlink.NetemQdiscAttrs{Latency: uint32(f.Delay / time.Microsecond), Jitter: uint32(f.Jitter / time.Microsecond)}))
	}
	for _, p := range f.Except {
		err = errors.Join(err, x.steer(at, p, 1, 3))
	}
	for _, p := range f.Sources {
		err = errors.Join(err, x.steer(at, p, 2, 1))
	}
	if err != nil {
		err = fmt.Errorf("hold packets up (it needs the kernel's sch_prio, sch_netem and cls_u32): %w", err)
		return errors.Join(err, x.stop(task.Fault{Kind: task.FaultLatency}))
	}
	return nil
}

// steer sends packets for an address block into a band. Sandboxes have no IPv6, so nothing is held up there.
func (x *site) steer(link int, p netip.Prefix, priority, band uint16) error {
	if !p.Addr().Is4() {
		return nil
	}
	to, mask := p.Masked().Addr().As4(), net.CIDRMask(p.Bits(), 32)
	return x.links.FilterAdd(&netlink.U32{
		FilterAttrs: netlink.FilterAttrs{LinkIndex: link, Parent: netlink.MakeHandle(1, 0), Priority: priority, Protocol: unix.ETH_P_IP},
		ClassId:     netlink.MakeHandle(1, band),
		Sel: &netlink.TcU32Sel{Flags: netlink.TC_U32_TERMINAL, Nkeys: 1,
			Keys: []netlink.TcU32Key{{Mask: binary.BigEndian.Uint32(mask), Val: binary.BigEndian.Uint32(to[:]), Off: daddr}}},
	})
}

// hasten takes our queue off the interface, and with it all that is in it.
func (x *site) hasten() error {
	link, err := x.device()
	if err != nil {
		return err
	}
	all, err := x.links.QdiscList(link)
	if err != nil {
		return fmt.Errorf("list queues: %w", err)
	}
	for _, q := range all {
		if a := q.Attrs(); q.Type() == "prio" && a.Parent == netlink.HANDLE_ROOT && a.Handle == netlink.MakeHandle(1, 0) {
			if err := x.links.QdiscDel(q); err != nil {
				return fmt.Errorf("remove queue: %w", err)
			}
		}
	}
	return nil
}
