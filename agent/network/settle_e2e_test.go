//go:build e2e

package network_test

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/roadstead/roadstead/agent/task"
)

// A sandbox that is there can be reached from, and reaches, at once, also while the kernel takes the links of hundreds away: no first packet
// has to be sent again.
func TestNothingIsLostAtFirst(t *testing.T) {
	cfg := config(t)
	cfg.MetadataIP = ""
	n := open(t, cfg)
	stop := run(t, n)
	defer tidy(t, n, cfg)
	defer stop()
	l, err := net.Listen("tcp4", n.Metadata().String())
	must(t, err)
	defer l.Close()
	for _, h := range namespaces(t, 300) {
		must(t, h.Close()) // and with it go the namespace and its link
	}
	for i := range 16 {
		s, err := n.Setup(t.Context(), task.SandboxRequest{TaskID: fmt.Sprint("t", i), Mode: "awsvpc"})
		must(t, err)
		know(t, cfg.Bridge, s.IPv4, s.MAC)
		inside(t, s.Path, func() {
			bridge := n.Gateway().As4()
			know(t, "eth0", n.Gateway().String(), net.HardwareAddr{0x0a, 0x58, bridge[0], bridge[1], bridge[2], bridge[3]}.String())
			c, err := net.Dial("tcp4", "169.254.170.2:80")
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			raw, err := c.(syscall.Conn).SyscallConn()
			if err != nil {
				t.Error(err)
				return
			}
			_ = raw.Control(func(fd uintptr) {
				info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
				if err != nil || info.Total_retrans != 0 {
					t.Errorf("sandbox %d: %d packets were sent again, %v", i, info.Total_retrans, err)
				}
			})
		})
		must(t, n.Release(context.WithoutCancel(t.Context()), s.TaskID, ""))
	}
}

// know has the kernel know a neighbour: it would wait for an answer to its question, and not send a packet again.
func know(t *testing.T, link, ip, mac string) {
	t.Helper()
	l, err := netlink.LinkByName(link)
	must(t, err)
	hw, err := net.ParseMAC(mac)
	must(t, err)
	must(t, netlink.NeighSet(&netlink.Neigh{LinkIndex: l.Attrs().Index, IP: net.ParseIP(ip), HardwareAddr: hw, State: netlink.NUD_PERMANENT}))
}

// namespaces makes network namespaces with a link each, which nothing but what is returned holds.
func namespaces(t *testing.T, count int) []netns.NsHandle {
	t.Helper()
	all := make([]netns.NsHandle, count)
	for i := range all {
		made := make(chan error)
		go func() {
			runtime.LockOSThread() // never unlocked: the thread dies
			h, err := netns.New()
			all[i] = h
			made <- err
		}()
		must(t, <-made)
		attrs := netlink.NewLinkAttrs()
		attrs.Name = fmt.Sprint("rsgone", i)
		must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(all[i])}))
	}
	return all
}
