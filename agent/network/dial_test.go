package network

import (
	"context"
	"io"
	"net"
	"slices"
	"testing"

	"github.com/roadstead/roadstead/agent/task"
)

func TestCandidates(t *testing.T) {
	search := []string{"a.internal", "b."}
	for host, want := range map[string][]string{
		"db":       {"db.a.internal.", "db.b.", "db."},
		"db.prod":  {"db.prod.", "db.prod.a.internal.", "db.prod.b."},
		"db.prod.": {"db.prod."},
	} {
		if got := candidates(host, search); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}

// A name of the container's /etc/hosts, an address and localhost all reach what listens there; a task without a namespace is on the node.
func TestDial(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "hello")
			c.Close()
		}
	}()
	port := uint16(l.Addr().(*net.TCPAddr).Port)
	n, names := &Network{}, Names{Hosts: map[string]string{"db": "127.0.0.1"}}
	for _, host := range []string{"db", "localhost", "127.0.0.1"} {
		conn, err := n.Dial(context.Background(), task.Sandbox{}, names, host, port)
		if err != nil {
			t.Fatalf("%s: %v", host, err)
		}
		if b, err := io.ReadAll(conn); err != nil || string(b) != "hello" {
			t.Errorf("%s said %q, %v", host, b, err)
		}
		conn.Close()
	}
	if _, err := n.Dial(context.Background(), task.Sandbox{}, names, "nowhere", port); err == nil {
		t.Error("a name that nobody knows is reached")
	}
}
