//go:build e2e

package network_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/network"
	"github.com/roadstead/roadstead/agent/task"
)

// [D] Connections of a task with a proxy pass through it: those that come in for the application's ports, and those that leave, but for
// its own and for what is ignored. It is so also after another process of the agent took over.
func TestProxy(t *testing.T) {
	for name, isolated := range map[string]bool{"a user of the node": false, "a user of a user namespace": true} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			cfg.UserBase = 1 << 30
			n := open(t, cfg)
			stop := run(t, n)
			defer func() { stop(); tidy(t, n, cfg) }()
			ctx := context.Background()
			box, err := n.Setup(ctx, task.SandboxRequest{TaskID: "t", Mode: "awsvpc", Isolated: isolated, Proxy: &acs.ProxyConfiguration{
				Type: acs.ProxyAppMesh, Container: "envoy", Properties: map[string]string{"ProxyIngressPort": "15000", "ProxyEgressPort": "15001", "AppPorts": "8080,9090",
					"IgnoredUID": "1337", "IgnoredGID": "1338", "EgressIgnoredIPs": "10.213.0.7,198.51.100.0/24", "EgressIgnoredPorts": "2222"}}})
			must(t, err)
			other, err := n.Setup(ctx, task.SandboxRequest{TaskID: "o", Mode: "awsvpc"})
			must(t, err)
			for port, text := range map[int]string{15000: "ingress", 15001: "egress", 8080: "application", 7070: "side door"} {
				serve(t, box.Path, port, text)
			}
			serve(t, other.Path, 80, "elsewhere")
			serve(t, other.Path, 2222, "elsewhere")
			check := func() {
				t.Helper()
				expect(t, "tcp", box.IPv4+":8080", "ingress")
				expect(t, "tcp", box.IPv4+":9090", "ingress")
				expect(t, "tcp", box.IPv4+":7070", "side door") // no port of the application
				expect(t, "udp", box.IPv4+":8080", "application")
				user := func(uid, gid int, port, want string) {
					inside(t, box.Path, func() {
						_, uerr := unix.SetfsuidRetUid(base(box) + uid)
						_, gerr := unix.SetfsgidRetGid(base(box) + gid)
						must(t, errors.Join(uerr, gerr))
						expect(t, "tcp", other.IPv4+":"+port, want)
					})
				}
				user(0, 0, "80", "egress")
				user(1000, 1000, "80", "egress")
				user(1337, 0, "80", "elsewhere") // the proxy's own
				user(0, 1338, "80", "elsewhere")
				user(0, 0, "2222", "elsewhere") // an ignored port
				inside(t, box.Path, func() {
					expect(t, "tcp", "192.0.2.1:443", "egress") // nobody is there, and nobody needs to be
					expect(t, "tcp", "127.0.0.1:8080", "application")
					expect(t, "tcp", box.IPv4+":8080", "application")
					expect(t, "udp", other.IPv4+":80", "elsewhere")
					if strings.HasPrefix(greeting(t, "198.51.100.1:80"), "egress") {
						t.Error("a connection to an ignored address passes through the proxy")
					}
				})
			}
			check()
			next, err := network.New(ctx, cfg) // the next process builds all again
			must(t, err)
			again, err := next.Setup(ctx, task.SandboxRequest{TaskID: "t", Mode: "awsvpc", Isolated: isolated})
			must(t, err)
			if again.IPv4 != box.IPv4 {
				t.Errorf("the sandbox is %+v, was %+v", again, box)
			}
			check()
			must(t, n.Release(ctx, "t", ""))
			must(t, n.Release(ctx, "o", ""))
		})
	}
}

// greeting is what an address says at once; "" if nobody is there, or somebody who says nothing: a network may take connections
// to anywhere.
func greeting(t *testing.T, address string) string {
	c, err := net.DialTimeout("tcp4", address, 300*time.Millisecond)
	if err != nil {
		return ""
	}
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(300*time.Millisecond)))
	said, _ := io.ReadAll(c)
	return string(said)
}

// base is the first of the node's users that those of the sandbox are.
func base(s task.Sandbox) int { return int(s.UserBase) }

// Properties that say nothing keep the task from starting, and leave nothing behind.
func TestProxyWithoutPorts(t *testing.T) {
	cfg := config(t)
	n := open(t, cfg)
	stop := run(t, n)
	defer func() { stop(); tidy(t, n, cfg) }()
	_, err := n.Setup(context.Background(), task.SandboxRequest{TaskID: "t", Mode: "awsvpc", Proxy: &acs.ProxyConfiguration{Type: acs.ProxyAppMesh}})
	var f *task.Failure
	if !errors.As(err, &f) || f.Name != "ContainerNetworkingError" {
		t.Errorf("set up: %v", err)
	}
	if all, err := n.List(context.Background()); err != nil || len(all) > 0 {
		t.Errorf("left %v, %v", all, err)
	}
}
