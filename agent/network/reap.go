package network

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	reapEvery = 50 * time.Millisecond
	reapForce = 2 * time.Second // after so long something holds the namespace: take the link away from it
	reapSweep = 10 * time.Second
)

// Run frees addresses and ports of released sandboxes once the kernel has removed their links, until ctx ends. The
// kernel does that by itself, in batches, when the namespace goes: removing links one by one takes 36 ms each, and
// the lock that every Setup needs.
func (n *Network) Run(ctx context.Context) error {
	waiting := map[*entry]time.Time{}
	n.collect(waiting)
	sweep := time.NewTicker(reapSweep)
	defer sweep.Stop()
	tick := time.NewTicker(reapEvery)
	defer tick.Stop()
	for {
		idle := len(waiting) == 0
		select {
		case <-ctx.Done():
			return nil
		case e := <-n.dying:
			waiting[e] = time.Now()
		case <-sweep.C:
			n.collect(waiting)
		case now := <-tick.C:
			for e, since := range waiting {
				if n.reap(e, now.Sub(since) > reapForce) {
					delete(waiting, e)
				}
			}
		}
		switch {
		case len(waiting) == 0:
			tick.Stop()
		case idle:
			tick.Reset(reapEvery)
		}
	}
}

// collect adds the released entries that no message spoke of.
func (n *Network) collect(waiting map[*entry]time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.entries {
		if _, ok := waiting[e]; e.Released && !ok {
			waiting[e] = time.Now()
		}
	}
}

// reap says whether the entry is done with.
func (n *Network) reap(e *entry, force bool) bool {
	if !force && !n.linkGone(e) {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.entries[e.key()] != e { // Setup of the same sandbox came first
		return true
	}
	if err := n.finish(e); err != nil {
		n.cfg.Logger.Warn("release sandbox", "task", e.TaskID, "container", e.Container, "err", err)
		return false
	}
	return true
}

// finish removes the last of a released entry and forgets it. It wants n.mu.
func (n *Network) finish(e *entry) error {
	if err := n.removeLink(e); err != nil {
		return err
	}
	flushUDP(e)
	if err := e.forget(n.cfg.Dir); err != nil {
		return err
	}
	delete(n.entries, e.key())
	if ip, err := netip.ParseAddr(e.IPv4); err == nil {
		n.addrs.free(ip)
	}
	n.ports.free(e.Bindings)
	return nil
}

// flushUDP forgets UDP flows to the sandbox: a port's next owner would not get packets of a peer that keeps sending.
func flushUDP(e *entry) {
	for _, b := range e.Bindings {
		if b.Protocol != "udp" {
			continue
		}
		f := &netlink.ConntrackFilter{}
		ip, err := netip.ParseAddr(e.IPv4)
		if err == nil {
			err = errors.Join(f.AddProtocol(unix.IPPROTO_UDP), f.AddIP(netlink.ConntrackReplySrcIP, ip.AsSlice()))
		}
		if err == nil {
			_, _ = netlink.ConntrackDeleteFilters(netlink.ConntrackTable, unix.AF_INET, f) // a kernel without conntrack's netlink has none to flush
		}
		return
	}
}
