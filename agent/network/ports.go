package network

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

const anyIP = "0.0.0.0"

// hostPort is a port of the node.
type hostPort struct {
	protocol string
	port     int32
}

// ports hands out ports of the node: those asked for, and dynamic ones in turn.
type ports struct {
	low, high int32 // dynamic range, both included
	last      int32 // handed out last
	used      map[hostPort]bool
}

func newPorts(low, high int32) ports {
	return ports{low: low, high: high, last: low - 1, used: map[hostPort]bool{}}
}

// dynamicRange is the kernel's ephemeral range, else that of ECS.
func dynamicRange() (low, high int32) {
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err == nil {
		if f := strings.Fields(string(b)); len(f) == 2 {
			l, lerr := strconv.ParseInt(f[0], 10, 32)
			h, herr := strconv.ParseInt(f[1], 10, 32)
			if lerr == nil && herr == nil && 0 < l && l < h && h < 65536 {
				return int32(l), int32(h)
			}
		}
	}
	return 49153, 65535
}

// choose takes all ports of one sandbox or none. free asks the node whether anybody else has a port.
func (p *ports) choose(want []acs.PortMapping, free func(hostPort) bool) (bound []task.Binding, err error) {
	defer func() {
		if err != nil {
			p.free(bound)
			bound = nil
		}
	}()
	for _, m := range want {
		b, err := p.one(m, free)
		if err != nil {
			return bound, err
		}
		bound = append(bound, b)
		p.take(bound[len(bound)-1:])
	}
	return bound, nil
}

func (p *ports) one(m acs.PortMapping, free func(hostPort) bool) (task.Binding, error) {
	b := task.Binding{BindIP: anyIP, Protocol: protocol(m)}
	if b.Protocol != "tcp" && b.Protocol != "udp" {
		return b, fmt.Errorf("protocol %q is not supported", m.Protocol)
	}
	if m.ContainerRange != "" {
		low, high, err := parseRange(m.ContainerRange)
		if err != nil {
			return b, err
		}
		first, err := p.run(b.Protocol, high-low+1, free)
		if err != nil {
			return b, err
		}
		b.ContainerRange, b.HostRange = m.ContainerRange, fmt.Sprintf("%d-%d", first, first+high-low)
		return b, nil
	}
	b.ContainerPort, b.HostPort = m.ContainerPort, m.HostPort
	if m.ContainerPort < 1 || m.ContainerPort > 65535 || m.HostPort < 0 || m.HostPort > 65535 {
		return b, fmt.Errorf("invalid port %d:%d", m.HostPort, m.ContainerPort)
	}
	if m.HostPort == 0 {
		var err error
		b.HostPort, err = p.run(b.Protocol, 1, free)
		return b, err
	}
	if h := (hostPort{b.Protocol, m.HostPort}); p.used[h] || !free(h) {
		return b, &task.Failure{Name: startError, Err: fmt.Errorf(
			"driver failed programming external connectivity: Bind for %s:%d failed: port is already allocated", anyIP, m.HostPort)}
	}
	return b, nil
}

// run finds n free ports in a row in the dynamic range, after those handed out last.
func (p *ports) run(protocol string, n int32, free func(hostPort) bool) (int32, error) {
	size := p.high - p.low + 1
	at := p.last + 1
	var row int32
	for tried := int32(0); tried < size+n; tried++ {
		if at > p.high || at < p.low {
			at, row = p.low, 0
		}
		if h := (hostPort{protocol, at}); p.used[h] || !free(h) {
			row = 0
		} else if row++; row == n {
			p.last = at
			return at - n + 1, nil
		}
		at++
	}
	return 0, &task.Failure{Name: startError, Err: fmt.Errorf("all dynamic ports are allocated (%d-%d)", p.low, p.high)}
}

func (p *ports) take(bound []task.Binding) {
	for _, b := range bound {
		eachPort(b, func(host, _ int32) { p.used[hostPort{b.Protocol, host}] = true })
	}
}

func (p *ports) free(bound []task.Binding) {
	for _, b := range bound {
		eachPort(b, func(host, _ int32) { delete(p.used, hostPort{b.Protocol, host}) })
	}
}

// eachPort calls fn for every port of a binding.
func eachPort(b task.Binding, fn func(host, container int32)) {
	if b.ContainerRange == "" {
		fn(b.HostPort, b.ContainerPort)
		return
	}
	host, last, herr := parseRange(b.HostRange)
	container, _, cerr := parseRange(b.ContainerRange)
	if herr != nil || cerr != nil { // not one of ours
		return
	}
	for ; host <= last; host, container = host+1, container+1 {
		fn(host, container)
	}
}

func parseRange(s string) (low, high int32, err error) {
	l, h, ok := strings.Cut(s, "-")
	a, aerr := strconv.ParseInt(l, 10, 32)
	b, berr := strconv.ParseInt(h, 10, 32)
	if !ok || aerr != nil || berr != nil || a < 1 || b > 65535 || a > b {
		return 0, 0, fmt.Errorf("invalid port range %q", s)
	}
	return int32(a), int32(b), nil
}

func protocol(m acs.PortMapping) string {
	if m.Protocol == "" {
		return "tcp"
	}
	return strings.ToLower(m.Protocol)
}

// portFree says whether no process of the node listens on the port: it binds without listening, which nobody sees.
func portFree(h hostPort) bool {
	kind := unix.SOCK_STREAM
	if h.protocol == "udp" {
		kind = unix.SOCK_DGRAM
	}
	fd, err := unix.Socket(unix.AF_INET, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return true
	}
	defer unix.Close(fd)
	if kind == unix.SOCK_STREAM { // connections that are closing are no listener
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return true
		}
	}
	return !errors.Is(unix.Bind(fd, &unix.SockaddrInet4{Port: int(h.port)}), unix.EADDRINUSE)
}
