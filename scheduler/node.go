package scheduler

import (
	"fmt"
	"slices"

	"github.com/roadstead/roadstead/model"
)

// nodeKey names an instance; it is a struct because joining a text for every task is what would cost.
type nodeKey struct {
	model.Scope
	cluster, id string
}

// node is an instance with what its tasks take of it. It is there for as long as the instance has a row, or tasks that
// are not STOPPED: rows come and go in any order.
type node struct {
	instance *model.Instance // nil: only tasks are known
	number   int             // its place in the bit sets of groups
	homes    []*class        // its class in each of its domains: its cluster's, FARGATE's, or both

	cpu, memory, enis int64    // free; without an instance less than nothing
	gpus              []string // that tasks have
	addresses         addresses
	ports             []port // that tasks have
	system            []port // that the instance itself reserves

	groups   []hosted
	families []counted
	running  int // tasks that are RUNNING and wanted so

	hash uint64
	key  nodeKey
}

// port is a host port with its protocol.
type port uint32

const udp port = 1 << 16

func (p port) String() string {
	if p&udp != 0 {
		return fmt.Sprintf("%d/udp", p&^udp)
	}
	return fmt.Sprintf("%d/tcp", uint32(p))
}

// hosted is how many tasks of a group are on a node.
type hosted struct {
	group *group
	tasks int
}

// counted is how many tasks of a family are on a node.
type counted struct {
	family string
	tasks  int
}

func newNode(key nodeKey, number int) *node {
	n := &node{key: key, number: number, hash: 14695981039346656037} // FNV-1a
	for _, s := range []string{key.id, key.cluster} {
		for i := range len(s) {
			n.hash = (n.hash ^ uint64(s[i])) * 1099511628211
		}
	}
	n.hash = mix(n.hash) | 1 // never 0, which a search uses for "before all"
	return n
}

// mix spreads a number over all bits.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// empty reports whether nothing is known of the node any more.
func (n *node) empty() bool {
	return n.instance == nil && len(n.families) == 0
}

// describe takes over a row of the instance; the node must have no homes meanwhile.
func (n *node) describe(i *model.Instance) {
	n.add(n.instance, -1)
	n.add(i, +1)
	n.instance, n.system = i, nil
	if i != nil {
		n.system = appendPorts(nil, &i.Resources)
	}
	n.addresses.subnet(i)
}

// add gives the node what the instance has, or takes it away again.
func (n *node) add(i *model.Instance, sign int64) {
	if i != nil {
		n.cpu += sign * i.Resources.CPU
		n.memory += sign * i.Resources.Memory
		n.enis += sign * int64(i.Resources.ENIs)
	}
}

// wantedGPUs is how many devices a copy wants that asks for count of them, or for all.
func (n *node) wantedGPUs(count int) int {
	if count == model.AllGPUs {
		return max(1, len(n.instance.Resources.GPUs))
	}
	return count
}

// freeGPUs counts the devices that no task has.
func (n *node) freeGPUs() int {
	free := len(n.instance.Resources.GPUs)
	if len(n.gpus) == 0 {
		return free
	}
	for _, id := range n.instance.Resources.GPUs {
		if slices.Contains(n.gpus, id) {
			free--
		}
	}
	return free
}

// pickGPUs returns the first free devices.
func (n *node) pickGPUs(count int) []string {
	if count == 0 {
		return nil
	}
	out := make([]string, 0, count)
	for _, id := range n.instance.Resources.GPUs {
		if len(out) < count && !slices.Contains(n.gpus, id) {
			out = append(out, id)
		}
	}
	return out
}

// holds reports whether the port is taken.
func (n *node) holds(p port) bool { return slices.Contains(n.ports, p) || slices.Contains(n.system, p) }

// tasksOf is how many tasks of the group are here.
func (n *node) tasksOf(g *group) int {
	if g != nil {
		for i := range n.groups {
			if n.groups[i].group == g {
				return n.groups[i].tasks
			}
		}
	}
	return 0
}

// take gives the node's resources to a task (sign 1) or has them back (-1), and keeps the classes in step.
func (n *node) take(r *model.Resources, sign int64) {
	n.takeAmounts(r.CPU*sign, r.Memory*sign)
	n.takeDevices(r, sign)
	for _, a := range r.Addresses {
		n.addresses.take(a, sign)
	}
	for _, p := range r.PortsTCP {
		n.takePort(port(p), sign)
	}
	for _, p := range r.PortsUDP {
		n.takePort(udp|port(p), sign)
	}
}

func (n *node) takeAmounts(cpu, memory int64) {
	if cpu == 0 && memory == 0 {
		return
	}
	wasCPU, wasMemory := n.cpu, n.memory
	n.cpu, n.memory = n.cpu-cpu, n.memory-memory
	for _, c := range n.homes {
		c.relist(n, wasCPU, wasMemory)
	}
}

// takeDevices takes network interfaces and GPUs.
func (n *node) takeDevices(r *model.Resources, sign int64) {
	if r.ENIs == 0 && len(r.GPUs) == 0 {
		return
	}
	for _, c := range n.homes {
		c.countDevices(n, -1)
	}
	n.enis -= sign * int64(r.ENIs)
	n.gpus = changed(n.gpus, r.GPUs, sign)
	for _, c := range n.homes {
		c.countDevices(n, +1)
	}
}

func (n *node) takePort(p port, sign int64) {
	was := n.holds(p)
	if sign > 0 {
		n.ports = append(n.ports, p)
	} else if i := slices.Index(n.ports, p); i >= 0 {
		n.ports = slices.Delete(n.ports, i, i+1)
	}
	if is := n.holds(p); was != is {
		for _, c := range n.homes {
			c.ports.add(p, delta(was, is))
		}
	}
}

// delta is by how much a count of those that are true changes.
func delta(was, is bool) int { return one(is) - one(was) }

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}

// changed returns have with some added, or one of each removed.
func changed(have, some []string, sign int64) []string {
	if sign > 0 {
		return append(have, some...)
	}
	for _, s := range some {
		if i := slices.Index(have, s); i >= 0 {
			have = slices.Delete(have, i, i+1)
		}
	}
	return have
}

// countFamily counts a task of the family.
func (n *node) countFamily(family string, sign int) {
	i := slices.IndexFunc(n.families, func(c counted) bool { return c.family == family })
	if i < 0 {
		i, n.families = len(n.families), append(n.families, counted{family: family})
	}
	if n.families[i].tasks += sign; n.families[i].tasks == 0 {
		n.families = slices.Delete(n.families, i, i+1)
	}
}
