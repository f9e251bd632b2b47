package definition

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

// Reservation is what a task takes from its instance. Which GPUs it gets is decided when it is placed, so Resources.GPUs
// is empty.
type Reservation struct {
	model.Resources
	GPU GPUs
}

// Reserve says what a task of the effective definition reserves (SEMANTICS §4.1 to §4.5): the task's cpu and memory, or
// else the sums over its containers; static host ports in bridge and host; one interface in awsvpc; GPUs.
func Reserve(def *types.TaskDefinition) Reservation {
	r := Reservation{Resources: model.Resources{CPU: amount(def.Cpu), Memory: amount(def.Memory)}}
	for i := range def.ContainerDefinitions {
		c := &def.ContainerDefinitions[i]
		if def.Cpu == nil {
			r.CPU += int64(c.Cpu)
		}
		if def.Memory == nil {
			r.Memory += softMemory(c)
		}
		if def.NetworkMode == types.NetworkModeBridge || def.NetworkMode == types.NetworkModeHost {
			for _, p := range c.PortMappings {
				r.addPort(&p)
			}
		}
		g := gpusOf(c)
		r.GPU.Count += g.Count
		r.GPU.Shared += g.Shared
		r.GPU.All = r.GPU.All || g.All
	}
	if r.GPU.All {
		r.GPU.Count = 0
	}
	if def.NetworkMode == types.NetworkModeAwsvpc {
		r.ENIs = 1
	}
	slices.Sort(r.PortsTCP)
	slices.Sort(r.PortsUDP)
	return r
}

// addPort reserves a static host port; 0 is dynamic and not counted (SEMANTICS §4.3).
func (r *Reservation) addPort(p *types.PortMapping) {
	switch port := deref(p.HostPort); {
	case port == 0:
	case p.Protocol == types.TransportProtocolUdp:
		r.PortsUDP = append(r.PortsUDP, port)
	default:
		r.PortsTCP = append(r.PortsTCP, port)
	}
}
