//go:build e2e

package network

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// A kill after any step of Setup or Release leaves something that the next process lists, can complete, and can
// remove without a trace.
func TestKilledAfterAnyStep(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	ctx := context.Background()
	req := task.SandboxRequest{TaskID: "t", Container: "c", Mode: "bridge", Ports: []acs.PortMapping{{ContainerPort: 80, HostPort: 28333}}}
	steps := []func(*Network, *entry) error{
		func(n *Network, e *entry) error { return n.netns.make(e.name(), e.UserBase) },
		func(n *Network, e *entry) error { return n.attach(e) },
		func(n *Network, e *entry) error { return n.nft.publish(e.published()) },
		func(n *Network, e *entry) error { return n.nft.unpublish(e.published()) },
		func(n *Network, e *entry) error { return n.netns.remove(e.name()) },
	}
	for killed := range len(steps) + 1 {
		for _, again := range []bool{false, true} {
			t.Run(fmt.Sprintf("after %d, again %v", killed, again), func(t *testing.T) {
				cfg := Config{Dir: t.TempDir() + "/n", Bridge: "rsk" + strconv.Itoa(os.Getpid()%100000), Subnet: netip.MustParsePrefix("10.215.0.0/24"), MetadataIP: "-"}
				n, err := New(ctx, cfg)
				if err != nil {
					t.Fatal(err)
				}
				e, err := n.reserve(req)
				if err != nil {
					t.Fatal(err)
				}
				for _, step := range steps[:killed] {
					if err := step(n, e); err != nil {
						t.Fatal(err)
					}
				}
				if n, err = New(ctx, cfg); err != nil { // the next process
					t.Fatal(err)
				}
				if all, err := n.List(ctx); err != nil || len(all) != 1 {
					t.Errorf("lists %+v, %v", all, err)
				}
				if again {
					if s, err := n.Setup(ctx, req); err != nil || s.IPv4 != e.IPv4 || !n.netns.exists(e.name()) || n.linkGone(e) {
						t.Errorf("set up %+v, %v", s, err)
					}
				}
				if err := errors.Join(n.Release(ctx, "t", "c"), n.Release(ctx, "t", "c"), n.Cleanup(ctx)); err != nil {
					t.Error(err)
				}
				if _, err := netlink.LinkByName(e.link(cfg.Bridge)); err == nil {
					t.Error("the link is left")
				}
			})
		}
	}
}
