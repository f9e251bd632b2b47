package network

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

func allFree(hostPort) bool { return true }

func TestChoosePorts(t *testing.T) {
	busy := func(h hostPort) bool { return h != hostPort{"tcp", 102} && h != hostPort{"tcp", 8080} }
	p := newPorts(100, 109)
	got, err := p.choose([]acs.PortMapping{
		{ContainerPort: 80}, {ContainerPort: 81}, {ContainerPort: 82, Protocol: "UDP"}, {ContainerRange: "90-92"},
		{ContainerPort: 83, HostPort: 100, Protocol: "udp"},
	}, busy)
	if err != nil {
		t.Fatal(err)
	}
	want := []task.Binding{
		{BindIP: anyIP, ContainerPort: 80, HostPort: 100, Protocol: "tcp"},
		{BindIP: anyIP, ContainerPort: 81, HostPort: 101, Protocol: "tcp"},
		{BindIP: anyIP, ContainerPort: 82, HostPort: 102, Protocol: "udp"}, // only tcp 102 is busy
		{BindIP: anyIP, ContainerRange: "90-92", HostRange: "103-105", Protocol: "tcp"},
		{BindIP: anyIP, ContainerPort: 83, HostPort: 100, Protocol: "udp"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestPortConflicts(t *testing.T) {
	for name, want := range map[string][]acs.PortMapping{
		"given already":            {{ContainerPort: 1, HostPort: 7000}},
		"twice in one":             {{ContainerPort: 1, HostPort: 7001}, {ContainerPort: 2, HostPort: 7001}},
		"a process listens":        {{ContainerPort: 1, HostPort: 7002}},
		"range too long":           {{ContainerRange: "1-200"}},
		"no container port":        {{HostPort: 7003}},
		"range the wrong way":      {{ContainerRange: "9-8"}},
		"protocol nobody knows":    {{ContainerPort: 1, Protocol: "sctp"}},
		"later of several is busy": {{ContainerPort: 1}, {ContainerPort: 1, HostPort: 7000}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPorts(100, 109)
			p.take([]task.Binding{{Protocol: "tcp", HostPort: 7000, ContainerPort: 1}})
			got, err := p.choose(want, func(h hostPort) bool { return h.port != 7002 })
			if err == nil || got != nil {
				t.Errorf("chose %+v, %v", got, err)
			}
			if len(p.used) != 1 {
				t.Errorf("a failed choice keeps %v", p.used)
			}
		})
	}
	p := newPorts(100, 109)
	_, err := p.choose([]acs.PortMapping{{ContainerPort: 1, HostPort: 80}, {ContainerPort: 1, HostPort: 80}}, allFree)
	var f *task.Failure
	if !errors.As(err, &f) || f.Name != "CannotStartContainerError" {
		t.Errorf("error %v", err)
	}
}

func TestDynamicPortsTakeTurnsAndRunOut(t *testing.T) {
	p := newPorts(100, 102)
	one := []acs.PortMapping{{ContainerPort: 1}}
	var given []int32
	for range 3 {
		b, err := p.choose(one, allFree)
		if err != nil {
			t.Fatal(err)
		}
		given = append(given, b[0].HostPort)
	}
	if _, err := p.choose(one, allFree); err == nil || !slices.Equal(given, []int32{100, 101, 102}) {
		t.Errorf("gave %v, then %v", given, err)
	}
	p.free([]task.Binding{{Protocol: "tcp", HostPort: 101, ContainerPort: 1}})
	if b, err := p.choose(one, allFree); err != nil || b[0].HostPort != 101 {
		t.Errorf("gave %v, %v, want 101", b, err)
	}
}

func TestPortFreeSeesListeners(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := int32(l.Addr().(*net.TCPAddr).Port)
	if portFree(hostPort{"tcp", port}) || !portFree(hostPort{"udp", port}) {
		t.Error("only the TCP port has a listener")
	}
	if low, high := dynamicRange(); low < 1 || high <= low {
		t.Errorf("dynamic range %d-%d", low, high)
	}
}

func TestAddresses(t *testing.T) {
	a := newAddresses(netip.MustParsePrefix("10.0.0.0/29"))
	var got []string
	for range 5 {
		ip, err := a.next()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, ip.String())
	}
	if want := []string{"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"}; !slices.Equal(got, want) {
		t.Errorf("gave %v, want %v", got, want)
	}
	if ip, err := a.next(); err == nil {
		t.Errorf("gave %s of a full subnet", ip)
	}
	a.free(netip.MustParseAddr("10.0.0.3"))
	if ip, err := a.next(); err != nil || ip.String() != "10.0.0.3" {
		t.Errorf("gave %s, %v", ip, err)
	}
	if a.take(netip.MustParseAddr("10.0.0.4")) || !a.take(netip.MustParseAddr("10.9.9.9")) {
		t.Error("take is wrong about what is free")
	}
}

// An address that is in use is never given, nor the network's, the bridge's or the broadcast one.
func TestAddressesAreUnique(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		subnet := netip.MustParsePrefix("10.1.2.64/27")
		a, used := newAddresses(subnet), map[netip.Addr]bool{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if len(used) > 0 && rapid.Bool().Draw(t, "free") {
				for ip := range used {
					a.free(ip)
					delete(used, ip)
					break
				}
				continue
			}
			ip, err := a.next()
			if err != nil {
				if len(used) < 29 {
					t.Fatalf("full with %d", len(used))
				}
				continue
			}
			last := ip.As4()[3]
			if used[ip] || !subnet.Contains(ip) || last <= 65 || last >= 95 {
				t.Fatalf("gave %s", ip)
			}
			used[ip] = true
		}
	})
}

func TestEntriesAreRemembered(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(sandboxesDir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	e := &entry{TaskID: "t1", Container: "a b", Mode: "bridge", IPv4: "10.0.0.2", MAC: macOf(nil, netip.MustParseAddr("10.0.0.2")),
		Bindings: []task.Binding{{BindIP: anyIP, ContainerPort: 80, HostPort: 100, Protocol: "tcp"}}}
	if err := e.save(dir); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"torn.json": `{"task":"t2"`, "empty.json": "", "half.json.new": `{"task":"t3"}`} {
		if err := os.WriteFile(filepath.Join(sandboxesDir(dir), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := readEntries(dir)
	if err != nil || len(got) != 1 || got[0].key() != e.key() || got[0].MAC != "0a:58:0a:00:00:02" || len(got[0].Bindings) != 1 {
		t.Fatalf("read %+v, %v", got, err)
	}
	if len(e.link("rs0")) > 15 || e.link("rs0") == e.link("rs1") {
		t.Errorf("link name %q", e.link("rs0"))
	}
	if err := errors.Join(e.forget(dir), e.forget(dir)); err != nil {
		t.Error(err)
	}
}

func TestHostModeReportsItsPorts(t *testing.T) {
	got := hostBindings(task.SandboxRequest{Mode: "host", Ports: []acs.PortMapping{{ContainerPort: 80, HostPort: 80}, {ContainerRange: "1-2", Protocol: "udp"}}})
	want := []task.Binding{
		{BindIP: anyIP, ContainerPort: 80, HostPort: 80, Protocol: "tcp"},
		{BindIP: anyIP, ContainerRange: "1-2", HostRange: "1-2", Protocol: "udp"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
}
