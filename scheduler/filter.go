package scheduler

import (
	"fmt"
	"slices"
	"strings"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// candidate is an instance with what it has left, counting the copies placed on it in this decision.
type candidate struct {
	instance *model.Instance
	used     state.Usage
}

func newCandidate(i *model.Instance, used state.Usage) *candidate {
	return &candidate{instance: i, used: used}
}

// filter refuses a candidate with a reason of failures[], or passes it with "".
type filter func(*candidate, *Request) (reason, detail string)

// filters in the order in which they are reported (SEMANTICS §5).
func filters() [8]filter {
	return [8]filter{agent, cpu, memory, gpu, ports, eni, location, attributes}
}

// reject runs the filters; ok is false if all pass.
func (c *candidate) reject(req *Request) (r Rejection, ok bool) {
	for n, f := range filters() {
		if reason, detail := f(c, req); reason != "" {
			return Rejection{c.instance, reason, detail, n}, true
		}
	}
	return Rejection{}, false
}

// take places one copy on the candidate.
func (c *candidate) take(req *Request) Placement {
	p := Placement{Instance: c.instance, GPUs: c.freeGPUs()[:req.GPUs]}
	c.used.CPU += req.Need.CPU
	c.used.Memory += req.Need.Memory
	c.used.ENIs += req.Need.ENIs
	c.used.PortsTCP = append(slices.Clip(c.used.PortsTCP), req.Need.PortsTCP...)
	c.used.PortsUDP = append(slices.Clip(c.used.PortsUDP), req.Need.PortsUDP...)
	c.used.GPUs = append(slices.Clip(c.used.GPUs), p.GPUs...)
	if req.Need.ENIs > 0 {
		if p.Address = c.freeAddress(); p.Address != "" {
			c.used.Addresses = append(slices.Clip(c.used.Addresses), p.Address)
		}
	}
	return p
}

func (c *candidate) freeGPUs() []string {
	if len(c.instance.Resources.GPUs) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(c.instance.Resources.GPUs), func(id string) bool {
		return slices.Contains(c.used.GPUs, id)
	})
}

func agent(c *candidate, _ *Request) (string, string) {
	if !c.instance.AgentConnected {
		return "AGENT", ""
	}
	return "", ""
}

func cpu(c *candidate, req *Request) (string, string) {
	return short("RESOURCE:CPU", "CPU units", req.Need.CPU, c.instance.Resources.CPU-c.used.CPU)
}

func memory(c *candidate, req *Request) (string, string) {
	return short("RESOURCE:MEMORY", "MiB", req.Need.Memory, c.instance.Resources.Memory-c.used.Memory)
}

func gpu(c *candidate, req *Request) (string, string) {
	if req.GPUs == 0 {
		return "", ""
	}
	return short("RESOURCE:GPU", "GPUs", int64(req.GPUs), int64(len(c.freeGPUs())))
}

// eni refuses an instance without a slot for a network interface, or without an address for it.
func eni(c *candidate, req *Request) (string, string) {
	if req.Need.ENIs > 0 && c.subnet().IsValid() && c.freeAddress() == "" {
		return "RESOURCE:ENI", "subnet " + c.subnet().String() + " has no address left"
	}
	return short("RESOURCE:ENI", "network interfaces", int64(req.Need.ENIs), int64(c.instance.Resources.ENIs-c.used.ENIs))
}

func short(reason, unit string, need, have int64) (string, string) {
	if need > 0 && need > have {
		return reason, fmt.Sprintf("needs %d %s, has %d left", need, unit, have)
	}
	return "", ""
}

// ports refuses a static host port that the instance reserves or a task holds, per protocol (SEMANTICS §4.3).
func ports(c *candidate, req *Request) (string, string) {
	for _, p := range []struct {
		protocol           string
		need, system, used []int32
	}{
		{"tcp", req.Need.PortsTCP, c.instance.Resources.PortsTCP, c.used.PortsTCP},
		{"udp", req.Need.PortsUDP, c.instance.Resources.PortsUDP, c.used.PortsUDP},
	} {
		for _, port := range p.need {
			if slices.Contains(p.system, port) || slices.Contains(p.used, port) {
				return "RESOURCE:PORTS", fmt.Sprintf("host port %d/%s is taken", port, p.protocol)
			}
		}
	}
	return "", ""
}

func location(c *candidate, req *Request) (string, string) {
	if len(req.Zones) > 0 && !slices.Contains(req.Zones, c.instance.Zone()) {
		return "LOCATION", "instance is in zone " + c.instance.Zone()
	}
	return "", ""
}

func attributes(c *candidate, req *Request) (string, string) {
	for _, want := range req.Attributes {
		have, ok := c.instance.Attribute(want.Name)
		if !ok || want.HasValue && have.Value != want.Value {
			return "ATTRIBUTE", want.Name
		}
	}
	return "", ""
}

func sortRejections(rs []Rejection) {
	slices.SortFunc(rs, func(a, b Rejection) int { return strings.Compare(a.Instance.ID, b.Instance.ID) })
}
