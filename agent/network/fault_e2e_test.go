//go:build e2e

package network_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadstead/roadstead/agent/network"
	"github.com/roadstead/roadstead/agent/task"
)

// answered counts how many of n datagrams that a sandbox sends are answered, and the shortest time that one took. Who sends into
// a black hole is told, as iptables does it on AWS; a bad network says nothing.
func answered(t *testing.T, from task.Sandbox, addr string, n int, kind ...string) (count int, shortest time.Duration) {
	shortest = time.Hour
	inside(t, from.Path, func() {
		for range n {
			c, err := net.Dial("udp4", addr)
			if err != nil {
				t.Error(err)
				return
			}
			began := time.Now()
			_ = c.SetDeadline(began.Add(200 * time.Millisecond))
			if _, err := c.Write([]byte("?")); err != nil && !slices.Contains(kind, task.FaultBlackhole) {
				t.Errorf("who sends is told: %v", err)
			}
			if _, err := c.Read(make([]byte, 100)); err == nil {
				count, shortest = count+1, min(shortest, time.Since(began))
			}
			c.Close()
		}
	})
	return count, shortest
}

// Faults do in a sandbox what they say, to the addresses that they name, and end; none is left when the sandbox is gone.
func TestFaults(t *testing.T) {
	cfg := config(t)
	n := open(t, cfg)
	defer tidy(t, n, cfg)
	defer run(t, n)()
	ctx := context.Background()
	var box [3]task.Sandbox
	for i := range box {
		var err error
		box[i], err = n.Setup(ctx, task.SandboxRequest{TaskID: fmt.Sprint("fault", i), Mode: "awsvpc"})
		must(t, err)
	}
	serve(t, box[1].Path, 7000, "one")
	serve(t, box[2].Path, 7000, "two")
	one, two := box[1].IPv4+":7000", box[2].IPv4+":7000"
	only := []netip.Prefix{netip.PrefixFrom(netip.MustParseAddr(box[1].IPv4), 32)}
	all := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
	for _, c := range []struct {
		name string
		f    task.Fault
		one  string // of ten datagrams: all, some or none are answered
		two  string
	}{
		{"a black hole", task.Fault{Kind: task.FaultBlackhole, Port: 7000, Protocol: "udp", Traffic: "egress"}, "none", "none"},
		{"but one address", task.Fault{Kind: task.FaultBlackhole, Port: 7000, Protocol: "udp", Traffic: "egress", Except: only}, "all", "none"},
		{"of another port", task.Fault{Kind: task.FaultBlackhole, Port: 7001, Protocol: "udp", Traffic: "egress"}, "all", "all"},
		{"of the other protocol", task.Fault{Kind: task.FaultBlackhole, Port: 7000, Protocol: "tcp", Traffic: "egress"}, "all", "all"},
		{"of what comes", task.Fault{Kind: task.FaultBlackhole, Port: 7000, Protocol: "udp", Traffic: "ingress"}, "all", "all"},
		{"all is lost", task.Fault{Kind: task.FaultPacketLoss, Percent: 100, Sources: only}, "none", "all"},
		{"half is lost", task.Fault{Kind: task.FaultPacketLoss, Percent: 50, Sources: all, Except: only}, "all", "some"},
	} {
		must(t, n.StartFault(box[0], c.f))
		must(t, n.StartFault(box[0], c.f)) // again is nothing new
		runs, err := n.FaultRuns(box[0], c.f)
		must(t, err)
		for _, x := range []struct{ to, want string }{{one, c.one}, {two, c.two}} {
			got, _ := answered(t, box[0], x.to, 10, c.f.Kind)
			if text := map[int]string{0: "none", 10: "all"}[got]; x.want == "some" && text != "" || x.want != "some" && text != x.want {
				t.Errorf("%s (runs: %v): %d of 10 are answered, want %s", c.name, runs, got, x.want)
			}
		}
		must(t, n.StopFault(box[0], c.f))
		must(t, n.StopFault(box[0], c.f))
		if after, err := n.FaultRuns(box[0], c.f); err != nil || after || !runs {
			t.Errorf("%s: runs %v, and after its end %v, %v", c.name, runs, after, err)
		}
		if got, _ := answered(t, box[0], two, 3); got != 3 {
			t.Errorf("%s: after its end %d of 3 are answered", c.name, got)
		}
	}
	latency(t, n, box[0], one, two, only)
	for _, b := range box {
		must(t, n.Release(ctx, b.TaskID, ""))
	}
}

// latency holds up what goes to one, by 100 ms; a kernel that cannot do it leaves nothing behind.
func latency(t *testing.T, n *network.Network, box task.Sandbox, one, two string, only []netip.Prefix) {
	slow := task.Fault{Kind: task.FaultLatency, Delay: 100 * time.Millisecond, Sources: only}
	switch err := n.StartFault(box, slow); {
	case err != nil:
		t.Logf("this kernel: %v", err)
	default:
		if got, took := answered(t, box, one, 3); got != 3 || took < 100*time.Millisecond {
			t.Errorf("held up, %d of 3 are answered, the first after %s", got, took)
		}
		if got, took := answered(t, box, two, 3); got != 3 || took > 90*time.Millisecond {
			t.Errorf("left alone, %d of 3 are answered, the first after %s", got, took)
		}
		must(t, n.StopFault(box, slow))
	}
	if runs, err := n.FaultRuns(box, slow); err != nil || runs {
		t.Errorf("latency runs after its end: %v, %v", runs, err)
	}
	if got, _ := answered(t, box, one, 3); got != 3 {
		t.Errorf("after latency %d of 3 are answered", got)
	}
}

// A task in mode host disturbs the node itself, until it is released or the node's network is taken down.
func TestFaultsOfTheNode(t *testing.T) {
	cfg := config(t)
	n := open(t, cfg)
	defer tidy(t, n, cfg)
	tables := func() int {
		out, err := exec.Command("nft", "list", "tables").Output()
		must(t, err)
		return strings.Count(string(out), "roadstead-fault-"+cfg.Bridge+"-")
	}
	hole := task.Fault{Kind: task.FaultBlackhole, Port: 1, Protocol: "udp", Traffic: "egress"}
	for _, id := range []string{"t1", "t2"} {
		must(t, n.StartFault(task.Sandbox{TaskID: id, Mode: "host"}, hole))
	}
	if runs, err := n.FaultRuns(task.Sandbox{TaskID: "t1", Mode: "host"}, hole); err != nil || !runs || tables() != 2 {
		t.Errorf("runs %v, %v, in %d tables", runs, err, tables())
	}
	must(t, n.Release(context.Background(), "t1", "app"))
	must(t, n.Release(context.Background(), "t3", "app"))
	if got := tables(); got != 1 {
		t.Errorf("%d tables are there after one of two tasks is gone", got)
	}
	defer func() {
		if got := tables(); got != 0 {
			t.Errorf("%d tables are left", got)
		}
	}()
	must(t, n.Cleanup(context.Background()))
}
