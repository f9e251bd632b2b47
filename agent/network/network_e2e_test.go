//go:build e2e

package network_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/network"
	"github.com/roadstead/roadstead/agent/task"
)

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func config(tb testing.TB) network.Config {
	if os.Geteuid() != 0 {
		tb.Skip("needs root")
	}
	dir, err := os.MkdirTemp("/run", "rsnet")
	must(tb, err)
	return network.Config{
		Dir: dir, Bridge: "rst" + strconv.Itoa(os.Getpid()%100000), Subnet: netip.MustParsePrefix("10.213.0.0/24"), MetadataIP: "-",
	}
}

// open makes a Network that runs until the test ends; tidy cleans up after the last of them.
func open(tb testing.TB, cfg network.Config) *network.Network {
	tb.Helper()
	n, err := network.New(context.Background(), cfg)
	must(tb, err)
	return n
}

func run(tb testing.TB, n *network.Network) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	return func() { cancel(); must(tb, <-done) }
}

func tidy(tb testing.TB, n *network.Network, cfg network.Config) {
	tb.Helper()
	must(tb, n.Cleanup(context.Background()))
	links, err := netlink.LinkList()
	must(tb, err)
	for _, l := range links {
		if l.Attrs().Name == cfg.Bridge || strings.HasPrefix(l.Attrs().Name, "rv") {
			tb.Errorf("link %s is left", l.Attrs().Name)
		}
	}
	if out, err := exec.Command("nft", "list", "table", "ip", "roadstead-"+cfg.Bridge).CombinedOutput(); err == nil {
		tb.Errorf("nft table is left: %s", out)
	}
	b, err := os.ReadFile("/proc/self/mountinfo")
	must(tb, err)
	if strings.Contains(string(b), cfg.Dir) {
		tb.Errorf("mounts are left below %s", cfg.Dir)
	}
	if _, err := os.Stat(cfg.Dir); !errors.Is(err, os.ErrNotExist) {
		tb.Errorf("%s is left", cfg.Dir)
	}
}

// serve answers with text on a TCP and a UDP port inside a namespace until the test ends.
func serve(tb testing.TB, path string, port int, text string) {
	tb.Helper()
	inside(tb, path, func() {
		l, err := net.Listen("tcp4", fmt.Sprintf(":%d", port))
		must(tb, err)
		tb.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				fmt.Fprintf(c, "%s from %s", text, c.RemoteAddr())
				c.Close()
			}
		}()
		u, err := net.ListenPacket("udp4", fmt.Sprintf(":%d", port))
		must(tb, err)
		tb.Cleanup(func() { u.Close() })
		go func() {
			b := make([]byte, 100)
			for {
				_, from, err := u.ReadFrom(b)
				if err != nil {
					return
				}
				_, _ = u.WriteTo([]byte(text), from)
			}
		}()
	})
}

func inside(tb testing.TB, path string, fn func()) {
	tb.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread dies
		h, err := netns.GetFromPath(path)
		if err == nil {
			err = netns.Set(h)
		}
		if err != nil {
			tb.Error(err)
			return
		}
		fn()
	}()
	<-done
}

func ask(protocol, addr string) (string, error) {
	c, err := net.DialTimeout(protocol, addr, 5*time.Second) // a first packet that is lost on a busy machine is sent again after one
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if protocol == "udp" {
		if _, err := c.Write([]byte("?")); err != nil {
			return "", err
		}
		b := make([]byte, 100)
		n, err := c.Read(b)
		return string(b[:n]), err
	}
	b, err := io.ReadAll(c)
	return string(b), err
}

func expect(tb testing.TB, protocol, addr, want string) {
	tb.Helper()
	got, err := ask(protocol, addr)
	if err != nil || !strings.HasPrefix(got, want) {
		tb.Errorf("%s %s: %q, %v; want %q", protocol, addr, got, err, want)
	}
}

func ownAddress(tb testing.TB) string {
	c, err := net.Dial("udp4", "192.0.2.200:9")
	must(tb, err)
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).IP.String()
}

func TestPublishedPorts(t *testing.T) {
	cfg := config(t)
	n := open(t, cfg)
	stop := run(t, n)
	defer func() { stop(); tidy(t, n, cfg) }()
	ctx := context.Background()
	a, err := n.Setup(ctx, task.SandboxRequest{TaskID: "t1", Container: "a", Mode: "bridge", Ports: []acs.PortMapping{
		{ContainerPort: 80}, {ContainerPort: 80, HostPort: 28080}, {ContainerPort: 80, HostPort: 28081, Protocol: "udp"}, {ContainerRange: "79-81"},
	}})
	must(t, err)
	b, err := n.Setup(ctx, task.SandboxRequest{TaskID: "t1", Container: "b", Mode: "bridge"})
	must(t, err)
	again, err := n.Setup(ctx, task.SandboxRequest{TaskID: "t1", Container: "b", Mode: "bridge"})
	must(t, err)
	if again.IPv4 != b.IPv4 || again.Path != b.Path {
		t.Errorf("second Setup made %+v of %+v", again, b)
	}
	serve(t, a.Path, 80, "hello")
	dynamic := strconv.Itoa(int(a.Bindings[0].HostPort))
	first, _, _ := strings.Cut(a.Bindings[3].HostRange, "-")
	ranged, err := strconv.Atoi(first)
	must(t, err)
	for _, host := range []string{"127.0.0.1", ownAddress(t), "10.213.0.1"} {
		expect(t, "tcp", host+":28080", "hello")
		expect(t, "tcp", host+":"+dynamic, "hello")
		expect(t, "tcp", host+":"+strconv.Itoa(ranged+1), "hello")
		expect(t, "udp", host+":28081", "hello")
	}
	expect(t, "tcp", a.IPv4+":80", "hello")
	for name, s := range map[string]task.Sandbox{"neighbour": b, "itself": a} {
		inside(t, s.Path, func() {
			expect(t, "tcp", a.IPv4+":80", "hello")
			t.Log(name)
		})
	}
	own := ownAddress(t)
	inside(t, b.Path, func() { expect(t, "tcp", own+":28080", "hello") })
	inside(t, a.Path, func() { expect(t, "tcp", own+":28080", "hello") })

	if _, err := n.Setup(ctx, task.SandboxRequest{TaskID: "t2", Container: "a", Mode: "bridge", Ports: []acs.PortMapping{{ContainerPort: 1, HostPort: 28080}}}); err == nil {
		t.Error("one host port was given twice")
	}
	must(t, n.Release(ctx, "t1", "a"))
	must(t, n.Release(ctx, "t1", "a"))
	if got, err := ask("tcp", "127.0.0.1:28080"); err == nil {
		t.Errorf("released port answers %q", got)
	}
	all, err := n.List(ctx)
	must(t, err)
	if len(all) != 1 || all[0].Container != "b" {
		t.Errorf("List gives %+v", all)
	}
}

// Containers reach the metadata server at its well-known address, also if they publish port 80; it sees who asks.
func TestMetadataServer(t *testing.T) {
	cfg := config(t)
	cfg.MetadataIP = "169.254.170.77" // other nodes of this machine have the real one
	n := open(t, cfg)
	stop := run(t, n)
	defer func() { stop(); tidy(t, n, cfg) }()
	l, err := net.Listen("tcp4", n.Metadata().String())
	must(t, err)
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(c, "you are %s ", c.RemoteAddr())
			c.Close()
		}
	}()
	for _, req := range []task.SandboxRequest{
		{TaskID: "t1", Container: "a", Mode: "bridge", Ports: []acs.PortMapping{{ContainerPort: 80, HostPort: 28082}}},
		{TaskID: "t2", Mode: "awsvpc"},
		{TaskID: "t3", Mode: "awsvpc", ENI: &acs.ENI{IPv4: []acs.IPAddr{{Primary: true, Address: "10.99.1.7"}}}},
	} {
		s, err := n.Setup(context.Background(), req)
		must(t, err)
		inside(t, s.Path, func() { expect(t, "tcp", n.MetadataHost(req.Mode)+":80", "you are "+s.IPv4+":") })
		if n.Own(netip.MustParseAddr(s.IPv4)) {
			t.Errorf("%s is the node's own", s.IPv4)
		}
	}
	for _, addr := range []string{n.MetadataHost("host"), cfg.MetadataIP + ":80"} {
		got, err := ask("tcp", addr)
		must(t, err)
		from, err := netip.ParseAddrPort(strings.TrimPrefix(strings.TrimSpace(got), "you are "))
		if err != nil || !n.Own(from.Addr()) {
			t.Errorf("asked at %s by the node itself: %q, %v", addr, got, err)
		}
	}
}

func TestTakesOverAfterAKill(t *testing.T) {
	cfg := config(t)
	n := open(t, cfg)
	ctx := context.Background()
	a, err := n.Setup(ctx, task.SandboxRequest{TaskID: "t1", Container: "a", Mode: "bridge", Ports: []acs.PortMapping{{ContainerPort: 80, HostPort: 28090}}})
	must(t, err)
	_, err = n.Setup(ctx, task.SandboxRequest{TaskID: "t2", Mode: "awsvpc", ENI: &acs.ENI{IPv4: []acs.IPAddr{{Primary: true, Address: "10.99.1.7"}}}})
	must(t, err)
	_, err = n.Setup(ctx, task.SandboxRequest{TaskID: "t3", Mode: "awsvpc"})
	must(t, err)
	must(t, n.Release(ctx, "t3", "")) // released, but no Run has freed it
	serve(t, a.Path, 80, "a")

	must(t, exec.Command("nft", "delete", "table", "ip", "roadstead-"+cfg.Bridge).Run())
	n = open(t, cfg) // as after kill -9
	all, err := n.List(ctx)
	must(t, err)
	if len(all) != 2 || all[0].TaskID != "t1" || all[1].IPv4 != "10.99.1.7" {
		t.Fatalf("List gives %+v", all)
	}
	expect(t, "tcp", "127.0.0.1:28090", "a")
	inside(t, all[1].Path, func() { expect(t, "tcp", a.IPv4+":80", "a") }) // an address outside the subnet is routed
	c, err := n.Setup(ctx, task.SandboxRequest{TaskID: "t4", Mode: "awsvpc"})
	must(t, err)
	if c.IPv4 == a.IPv4 {
		t.Errorf("address %s was given twice", c.IPv4)
	}
	tidy(t, n, cfg)
}

func TestReleasedAddressesComeBack(t *testing.T) {
	cfg := config(t)
	cfg.Subnet = netip.MustParsePrefix("10.213.0.0/29") // five addresses for containers
	n := open(t, cfg)
	stop := run(t, n)
	defer func() { stop(); tidy(t, n, cfg) }()
	ctx := context.Background()
	for i := range 5 {
		_, err := n.Setup(ctx, task.SandboxRequest{TaskID: fmt.Sprintf("t%d", i), Mode: "awsvpc"})
		must(t, err)
	}
	if _, err := n.Setup(ctx, task.SandboxRequest{TaskID: "t9", Mode: "awsvpc"}); err == nil {
		t.Fatal("a sixth address in a /29")
	}
	must(t, n.Release(ctx, "t3", ""))
	deadline := time.After(10 * time.Second)
	for {
		_, err := n.Setup(ctx, task.SandboxRequest{TaskID: "t9", Mode: "awsvpc"})
		if err == nil {
			break
		}
		select {
		case <-deadline:
			t.Fatal(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	files, err := os.ReadDir(filepath.Join(cfg.Dir, "sandboxes"))
	must(t, err)
	if len(files) != 5 {
		t.Errorf("%d sandboxes are remembered, want 5", len(files))
	}
}

func BenchmarkSetupRelease(b *testing.B) {
	cfg := config(b)
	n := open(b, cfg)
	stop := run(b, n)
	defer func() { stop(); tidy(b, n, cfg) }()
	ctx := context.Background()
	var setup, release time.Duration
	i := 0
	for b.Loop() {
		id := fmt.Sprintf("t%d", i)
		began := time.Now()
		_, err := n.Setup(ctx, task.SandboxRequest{TaskID: id, Container: "c", Mode: "bridge", Ports: []acs.PortMapping{{ContainerPort: 80}}})
		must(b, err)
		setup += time.Since(began)
		began = time.Now()
		must(b, n.Release(ctx, id, "c"))
		release += time.Since(began)
		i++
	}
	b.ReportMetric(setup.Seconds()*1e3/float64(i), "ms/setup")
	b.ReportMetric(release.Seconds()*1e3/float64(i), "ms/release")
}
