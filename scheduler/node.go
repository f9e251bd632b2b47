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
	key      nodeKey
	hash     uint64
	instance *model.Instance // nil: only tasks are known
	homes    []*class        // its class in each of its domains: its cluster's, FARGATE's, or both

	taken     model.Resources // of CPU, Memory, ENIs and GPUs; the rest is below
	addresses addresses
	ports     []port // of tasks
	system    []port // that the instance itself reserves

	groups   []hosted
	families []counted
	running  int // tasks that are RUNNING and wanted so

	// As they are in the orders and counts of its classes.
	cpu, memory  int64 // free
	noGPU, noENI bool
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

func newNode(key nodeKey) *node {
	n := &node{key: key, hash: 14695981039346656037} // FNV-1a
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
	n.instance, n.system = i, nil
	if i == nil {
		n.addresses.subnet(nil)
		return
	}
	for _, p := range i.Resources.PortsTCP {
		n.system = append(n.system, port(p))
	}
	for _, p := range i.Resources.PortsUDP {
		n.system = append(n.system, udp|port(p))
	}
	n.addresses.subnet(i)
	n.cpu, n.memory = n.freeCPU(), n.freeMemory()
	n.noGPU, n.noENI = n.freeGPUs() == 0, n.freeENIs() <= 0
}

func (n *node) freeCPU() int64    { return n.instance.Resources.CPU - n.taken.CPU }
func (n *node) freeMemory() int64 { return n.instance.Resources.Memory - n.taken.Memory }
func (n *node) freeENIs() int64   { return int64(n.instance.Resources.ENIs - n.taken.ENIs) }

// freeGPUs counts the devices that no task has.
func (n *node) freeGPUs() int {
	free := len(n.instance.Resources.GPUs)
	if len(n.taken.GPUs) == 0 {
		return free
	}
	for _, id := range n.instance.Resources.GPUs {
		if slices.Contains(n.taken.GPUs, id) {
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
		if len(out) < count && !slices.Contains(n.taken.GPUs, id) {
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
	n.taken.CPU += sign * r.CPU
	n.taken.Memory += sign * r.Memory
	n.taken.ENIs += int32(sign) * r.ENIs
	n.taken.GPUs = changed(n.taken.GPUs, r.GPUs, sign)
	for _, a := range r.Addresses {
		n.addresses.take(a, sign)
	}
	for _, p := range r.PortsTCP {
		n.takePort(port(p), sign)
	}
	for _, p := range r.PortsUDP {
		n.takePort(udp|port(p), sign)
	}
	if n.instance == nil {
		return
	}
	cpu, memory := n.freeCPU(), n.freeMemory()
	if cpu != n.cpu || memory != n.memory {
		for _, c := range n.homes {
			c.unlist(n)
		}
		n.cpu, n.memory = cpu, memory
		for _, c := range n.homes {
			c.list(n)
		}
	}
	if noENI, noGPU := n.freeENIs() <= 0, n.freeGPUs() == 0; noENI != n.noENI || noGPU != n.noGPU {
		for _, c := range n.homes {
			c.noENI += delta(n.noENI, noENI)
			c.noGPU += delta(n.noGPU, noGPU)
		}
		n.noENI, n.noGPU = noENI, noGPU
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
