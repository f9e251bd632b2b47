package tasktest

import (
	"context"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// RunNetwork checks that a Network keeps the promises of its contract, in the given modes. Every call of open is
// another process on the same node. Task ids are random, and what is set up is released.
func RunNetwork(t *testing.T, open func(t *testing.T) task.Network, modes ...string) {
	for _, mode := range modes {
		s := &networkSuite{mode: mode, open: open}
		t.Run(mode+"/SetupTwiceGivesTheSame", s.twice)
		t.Run(mode+"/ReleaseAndAgain", s.release)
		t.Run(mode+"/PublishedPorts", s.ports)
		t.Run(mode+"/ManyAtOnce", s.parallel)
		t.Run(mode+"/AnotherProcessReleases", s.restart)
	}
}

type networkSuite struct {
	mode string
	open func(*testing.T) task.Network
}

// own is true in the modes where containers have namespaces of their own.
func (s *networkSuite) own() bool { return s.mode == "bridge" || s.mode == "awsvpc" }

func (s *networkSuite) request(t *testing.T, w task.Network, ports ...acs.PortMapping) task.SandboxRequest {
	req := task.SandboxRequest{TaskID: randomID(), Container: "app", Mode: s.mode, Ports: ports}
	if s.mode == "awsvpc" {
		req.Container = ""
	}
	t.Cleanup(func() {
		if err := w.Release(context.WithoutCancel(t.Context()), req.TaskID, req.Container); err != nil {
			t.Error("clean up:", err)
		}
	})
	return req
}

func (s *networkSuite) setup(t *testing.T, w task.Network, req task.SandboxRequest) task.Sandbox {
	t.Helper()
	sb, err := w.Setup(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if sb.TaskID != req.TaskID || sb.Container != req.Container || sb.Mode != req.Mode {
		t.Fatalf("sandbox %+v is not the one asked for: %+v", sb, req)
	}
	if s.own() && (sb.Path == "" || sb.IPv4 == "") {
		t.Fatalf("sandbox %+v has no namespace or address", sb)
	}
	if s.mode == "awsvpc" && (sb.MAC == "" || sb.Gateway == "") {
		t.Fatalf("sandbox %+v lacks MAC or gateway", sb)
	}
	return sb
}

func listed(t *testing.T, w task.Network, sb task.Sandbox) *task.Sandbox {
	t.Helper()
	all, err := w.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(o task.Sandbox) bool { return o.TaskID == sb.TaskID && o.Container == sb.Container })
	if i < 0 {
		return nil
	}
	return &all[i]
}

func (s *networkSuite) twice(t *testing.T) {
	w := s.open(t)
	req := s.request(t, w, acs.PortMapping{ContainerPort: 80})
	first, second := s.setup(t, w, req), s.setup(t, w, req)
	if !reflect.DeepEqual(first, second) {
		t.Fatalf("second setup differs:\n%+v\n%+v", first, second)
	}
	if l := listed(t, w, first); s.own() && (l == nil || !reflect.DeepEqual(*l, first)) {
		t.Fatalf("listed as %+v, want %+v", l, first)
	}
}

func (s *networkSuite) release(t *testing.T) {
	w := s.open(t)
	req := s.request(t, w)
	sb := s.setup(t, w, req)
	for range 2 {
		if err := w.Release(t.Context(), req.TaskID, req.Container); err != nil {
			t.Fatal(err)
		}
		if l := listed(t, w, sb); l != nil {
			t.Fatalf("released sandbox is listed: %+v", l)
		}
	}
	if err := w.Release(t.Context(), randomID(), req.Container); err != nil {
		t.Fatal("release of what never was:", err)
	}
}

// ports: bindings are as in SEMANTICS §13.1: dynamic host ports in bridge, equal ones in host, none in awsvpc.
func (s *networkSuite) ports(t *testing.T) {
	w := s.open(t)
	ports := []acs.PortMapping{{ContainerPort: 80}, {ContainerPort: 53, Protocol: "udp"}}
	var seen []int32
	for range 2 {
		req := s.request(t, w, ports...)
		sb := s.setup(t, w, req)
		switch s.mode {
		case "bridge", "host":
			if len(sb.Bindings) != 2 || sb.Bindings[0].Protocol != "tcp" || sb.Bindings[1].Protocol != "udp" {
				t.Fatalf("bindings %+v", sb.Bindings)
			}
		default:
			if len(sb.Bindings) != 0 {
				t.Fatalf("bindings %+v, want none", sb.Bindings)
			}
		}
		for _, b := range sb.Bindings {
			if b.HostPort == 0 || s.mode == "host" && b.HostPort != b.ContainerPort {
				t.Fatalf("binding %+v", b)
			}
			if s.mode == "bridge" && slices.Contains(seen, b.HostPort) {
				t.Fatalf("host port %d is given twice", b.HostPort)
			}
			seen = append(seen, b.HostPort)
		}
	}
}

func (s *networkSuite) parallel(t *testing.T) {
	w := s.open(t)
	var group sync.WaitGroup
	var mu sync.Mutex
	addresses := map[string]bool{}
	for i := range 8 {
		req := s.request(t, w, acs.PortMapping{ContainerPort: int32(8000 + i)})
		group.Go(func() {
			sb, err := w.Setup(t.Context(), req)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			if s.own() && addresses[sb.IPv4] {
				t.Errorf("address %s is given twice", sb.IPv4)
			}
			addresses[sb.IPv4] = true
			mu.Unlock()
		})
	}
	group.Wait()
}

func (s *networkSuite) restart(t *testing.T) {
	w := s.open(t)
	req := s.request(t, w, acs.PortMapping{ContainerPort: 80})
	sb := s.setup(t, w, req)
	other := s.open(t)
	if s.own() {
		if l := listed(t, other, sb); l == nil || !reflect.DeepEqual(*l, sb) {
			t.Fatalf("another process lists %+v, want %+v", l, sb)
		}
	}
	if again := s.setup(t, other, req); !reflect.DeepEqual(again, sb) {
		t.Fatalf("another process sets up %+v, want %+v", again, sb)
	}
	if err := other.Release(t.Context(), req.TaskID, req.Container); err != nil {
		t.Fatal(err)
	}
	if l := listed(t, w, sb); l != nil {
		t.Fatalf("released sandbox is listed: %+v", l)
	}
}
