package scheduler

import (
	"slices"

	"github.com/roadstead/roadstead/model"
)

// RequestFor asks for one copy of the task, which has no place yet: with so many devices, on instances with the attributes
// (definition.Reserve, definition.Required), in the zones of its subnets.
func RequestFor(t *model.Task, gpus int, attributes []model.Attribute, subnets Subnets) Request {
	return Request{
		Scope: t.Scope, Cluster: t.Cluster, Count: 1, Need: t.Reserved, GPUs: gpus, Attributes: attributes, Zones: subnets.Zones(),
		LaunchType: t.LaunchType, Group: t.Group, Family: familyOf(t), Constraints: t.Constraints, Strategy: t.Strategy,
	}
}

// Subnet is one that a task may have its network interface in. One without a zone is everywhere.
type Subnet struct{ ID, Zone string }

// Subnets are those that a task may choose from.
type Subnets []Subnet

// FindSubnets looks subnets up; missing is the first that find does not know, "" if it knows all. A nil find knows every one,
// and has them everywhere.
func FindSubnets(s model.Scope, ids []string, find func(s model.Scope, id string) (zone string, ok bool)) (out Subnets, missing string) {
	for _, id := range ids {
		zone, ok := "", true
		if find != nil {
			zone, ok = find(s, id)
		}
		if !ok {
			return nil, id
		}
		out = append(out, Subnet{id, zone})
	}
	return out, ""
}

// Zones are those of the subnets, each once; none if a task may go anywhere.
func (s Subnets) Zones() []string {
	var zones []string
	for _, n := range s {
		if n.Zone == "" {
			return nil
		}
		if !slices.Contains(zones, n.Zone) {
			zones = append(zones, n.Zone)
		}
	}
	return zones
}

// In returns the first subnet in the zone, or the first of all if none is known to be there; "" without any.
func (s Subnets) In(zone string) string {
	for _, n := range s {
		if n.Zone == zone {
			return n.ID
		}
	}
	if len(s) == 0 {
		return ""
	}
	return s[0].ID
}
