package definition

import (
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Limits of port mappings (SEMANTICS §4.3) [D].
const (
	maxPort       = 65535
	maxPortRanges = 100
	maxPortName   = 64
)

// fillPort fills protocol and host port (SEMANTICS §2.4): a protocol that is not udp is tcp [D]; in awsvpc and host the
// host port is the container's [D]; in bridge an absent one is shown as 0, the dynamic port [O]. Ranges have no
// host port.
func fillPort(mode types.NetworkMode, p *types.PortMapping) {
	if p.Protocol != types.TransportProtocolUdp {
		p.Protocol = types.TransportProtocolTcp
	}
	if p.ContainerPort == nil || p.ContainerPortRange != nil {
		return
	}
	switch mode {
	case types.NetworkModeAwsvpc, types.NetworkModeHost:
		if deref(p.HostPort) == 0 {
			p.HostPort = new(*p.ContainerPort)
		}
	case types.NetworkModeBridge:
		if p.HostPort == nil {
			p.HostPort = new(int32(0))
		}
	}
}

// portSpan is the container ports of one mapping.
type portSpan struct {
	first, last int32
	mapping     *types.PortMapping
}

func (s portSpan) isRange() bool { return s.mapping.ContainerPortRange != nil }

// checkPorts: the rules of one container's port mappings (SEMANTICS §4.3, §12, §13.1).
func checkPorts(d *draft, c *types.ContainerDefinition) error {
	name := deref(c.Name)
	if len(c.PortMappings) > 0 && d.NetworkMode == types.NetworkModeNone {
		return refuse("Port mappings are not supported when networkMode=none.") // [I]
	}
	var spans []portSpan
	ranges := 0
	for i := range c.PortMappings {
		s, err := checkPort(d.NetworkMode, name, &c.PortMappings[i])
		if err != nil {
			return err
		}
		if s.isRange() {
			ranges++
		}
		for _, earlier := range spans {
			if err := checkOverlap(name, earlier, s); err != nil {
				return err
			}
		}
		spans = append(spans, s)
	}
	if ranges > maxPortRanges {
		return refuse("Container '%s' has too many port ranges. The maximum is %d.", name, maxPortRanges) // [I]
	}
	return nil
}

// checkOverlap: a port belongs to one mapping of its container, except that one port of one protocol may be published on
// several host ports. Ranges never overlap (SEMANTICS §4.3) [D]; wording [O].
func checkOverlap(name string, a, b portSpan) error {
	if a.last < b.first || b.last < a.first {
		return nil
	}
	if a.isRange() || b.isRange() {
		return invalid("Container port ranges of container %s must not overlap.", name) // [I]
	}
	if a.mapping.Protocol != b.mapping.Protocol || deref(a.mapping.HostPort) == deref(b.mapping.HostPort) {
		return invalid("Container port %d is used in more than one port mapping for container %s.", b.first, name)
	}
	return nil
}

func checkPort(mode types.NetworkMode, name string, p *types.PortMapping) (portSpan, error) {
	if err := checkPortName(p); err != nil {
		return portSpan{}, err
	}
	if p.ContainerPortRange != nil {
		return checkPortRange(mode, name, p)
	}
	port, host := deref(p.ContainerPort), deref(p.HostPort)
	if port < 1 || port > maxPort {
		return portSpan{}, refuse("Invalid 'containerPort' setting for container '%s'.", name) // [I]
	}
	if host < 0 || host > maxPort {
		return portSpan{}, refuse("Invalid 'hostPort' setting for container '%s'.", name) // [I]
	}
	if (mode == types.NetworkModeAwsvpc || mode == types.NetworkModeHost) && host != port {
		return portSpan{}, refuse("When networkMode=%s, the host ports and container ports in port mappings must match.", mode) // [O]
	}
	return portSpan{first: port, last: port, mapping: p}, nil
}

// checkPortRange: a range stands alone, runs upwards and needs bridge or awsvpc [D].
func checkPortRange(mode types.NetworkMode, name string, p *types.PortMapping) (portSpan, error) {
	if p.ContainerPort != nil || p.HostPort != nil {
		return portSpan{}, refuse("Invalid port mapping for container '%s'. 'containerPortRange' cannot be used with 'containerPort' or 'hostPort'.", name) // [I]
	}
	if mode != types.NetworkModeBridge && mode != types.NetworkModeAwsvpc {
		return portSpan{}, refuse("'containerPortRange' is not supported when networkMode=%s.", mode) // [I]
	}
	first, last, ok := parseRange(*p.ContainerPortRange)
	if !ok {
		return portSpan{}, refuse("Invalid 'containerPortRange' setting for container '%s'.", name) // [I]
	}
	return portSpan{first: first, last: last, mapping: p}, nil
}

func parseRange(s string) (first, last int32, ok bool) {
	a, b, found := strings.Cut(s, "-")
	lo, err1 := strconv.ParseUint(a, 10, 16)
	hi, err2 := strconv.ParseUint(b, 10, 16)
	if !found || err1 != nil || err2 != nil || lo < 1 || lo >= hi {
		return 0, 0, false
	}
	return int32(lo), int32(hi), true
}

// checkPortName: up to 64 of [a-z0-9_-], not a hyphen first; appProtocol is one of three and goes with tcp only [D].
func checkPortName(p *types.PortMapping) error {
	if n := p.Name; n != nil {
		bad := func(r rune) bool { return !isLower(r) && !isDigit(r) && r != '_' && r != '-' }
		if *n == "" || len(*n) > maxPortName || (*n)[0] == '-' || strings.IndexFunc(*n, bad) >= 0 {
			return refuse("Invalid port mapping name '%s'.", *n) // [I]
		}
	}
	if p.AppProtocol != "" && !known(p.AppProtocol) {
		return refuse("Invalid appProtocol '%s' in port mapping.", p.AppProtocol) // [I]
	}
	if p.AppProtocol != "" && p.Protocol == types.TransportProtocolUdp {
		return refuse("appProtocol is not supported for port mappings with protocol udp.") // [I]
	}
	return nil
}

// checkPortNames: names of port mappings are unique in the definition, for Service Connect refers to them [D].
func checkPortNames(d *draft) error {
	seen := map[string]bool{}
	for i := range d.ContainerDefinitions {
		for _, p := range d.ContainerDefinitions[i].PortMappings {
			if p.Name == nil {
				continue
			}
			if seen[*p.Name] {
				return refuse("Port mapping name '%s' is used more than once.", *p.Name) // [I]
			}
			seen[*p.Name] = true
		}
	}
	return nil
}

// checkHostPorts: containers of a task share the interface that their host ports are on, so each port of a protocol is
// given once (SEMANTICS §4.3) [D].
func checkHostPorts(d *draft) error {
	type hostPort struct {
		port  int32
		proto types.TransportProtocol
	}
	seen := map[hostPort]bool{}
	for i := range d.ContainerDefinitions {
		for _, p := range d.ContainerDefinitions[i].PortMappings {
			h := hostPort{deref(p.HostPort), p.Protocol}
			if h.port == 0 {
				continue
			}
			if seen[h] {
				return refuse("Host port %d/%s is used in more than one port mapping.", h.port, h.proto) // [I]
			}
			seen[h] = true
		}
	}
	return nil
}

// known says whether an enum's value is one of the SDK's.
func known[E interface {
	~string
	Values() []E
}](v E) bool {
	return slices.Contains(v.Values(), v)
}
