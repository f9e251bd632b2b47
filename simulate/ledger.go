package simulate

import (
	"time"

	"github.com/roadstead/roadstead/model"
)

// ledger is what the rows say that a node has given away, added up from their changes: a check on the control plane, which
// has accounts of its own.
type ledger struct {
	cpu, memory, enis int64
	things            map[thing]int // that only one task may hold

	connected  bool   // the instance's row says so
	missed     bool   // it has not always said so
	status     string // of it
	gave       gauge  // CPU, as far as the node counts
	gaveMemory int64
}

// thing is a port, a GPU or an address.
type thing struct {
	kind string
	name string
	port int32
}

// instanceENIs is how many network interfaces a node has: what api/ecs gives it.
const instanceENIs = 250

// hold enters what a task takes of its instance, or strikes it out.
func (w *world) hold(t *model.Task, sign int64) {
	if t == nil || t.Instance == "" || t.Last == model.TaskStopped {
		return
	}
	n := w.node[t.InstanceKey()]
	if n == nil {
		w.violate("task %s is on instance %s, which does not exist", t.ID, t.InstanceKey())
		return
	}
	l, r := &n.ledger, &t.Reserved
	l.cpu += sign * r.CPU
	l.memory += sign * r.Memory
	l.enis += sign * int64(r.ENIs)
	n.holdThings(r, sign)
	if sign > 0 && (l.cpu > n.group.CPU || l.memory > n.group.Memory || l.enis > instanceENIs) {
		w.violate("%s is oversold: %d of %d units, %d of %d MiB, %d network interfaces", n.name, l.cpu, n.group.CPU, l.memory, n.group.Memory, l.enis)
	}
	n.measure()
}

func (n *node) holdThings(r *model.Resources, sign int64) {
	for _, p := range r.PortsTCP {
		n.holdThing(thing{kind: "TCP port", port: p}, sign)
	}
	for _, p := range r.PortsUDP {
		n.holdThing(thing{kind: "UDP port", port: p}, sign)
	}
	for _, g := range r.GPUs {
		n.holdThing(thing{kind: "GPU", name: g}, sign)
	}
	for _, a := range r.Addresses {
		n.holdThing(thing{kind: "address", name: a}, sign)
	}
}

func (n *node) holdThing(x thing, sign int64) {
	l := &n.ledger
	if l.things == nil {
		l.things = map[thing]int{}
	}
	if l.things[x] += int(sign); l.things[x] == 0 {
		delete(l.things, x)
	}
	if l.things[x] > 1 {
		n.w.violate("%s is oversold: two tasks have its %s %s%d", n.name, x.kind, x.name, x.port)
	}
}

// instanceChanged is told of every change of an instance's row.
func (w *world) instanceChanged(key string, row *model.Instance) {
	n := w.node[key]
	if n == nil {
		return // it is being registered
	}
	l := &n.ledger
	if row.AgentConnected != l.connected && row.Status != model.InstanceInactive {
		switch {
		case row.AgentConnected && l.missed:
			w.tell("%s is connected again", n.name)
		case row.AgentConnected:
			w.log("%s is connected", n.name)
		default:
			l.missed = true
			w.tell("%s counts as disconnected: its agent has been silent for %v", n.name, w.now-n.silent)
		}
	}
	if row.Status != l.status {
		w.log("%s is %s", n.name, row.Status)
	}
	w.serve(n, -1)
	l.connected, l.status = row.AgentConnected, row.Status
	w.serve(n, +1)
	n.measure()
}

// load is what the nodes of a zone have and have given away, those only that count as capacity.
type load struct {
	name        string
	nodes       gauge
	cpu, memory struct{ has, gave gauge }
}

func newLoad(name string, width time.Duration) *load {
	l := &load{name: name, nodes: gauge{width: width}}
	l.cpu.has.width, l.cpu.gave.width, l.memory.has.width, l.memory.gave.width = width, width, width, width
	return l
}

// zone returns the load of a zone, in the order in which zones were first seen.
func (w *world) zone(name string) *load {
	for _, z := range w.zones {
		if z.name == name {
			return z
		}
	}
	z := newLoad(name, w.width)
	w.zones = append(w.zones, z)
	return z
}

// serves reports whether the node counts as capacity.
func (l *ledger) serves() bool { return l.connected && l.status != model.InstanceInactive }

// serve counts the node's capacity in its zone, or no longer.
func (w *world) serve(n *node, sign int64) {
	if !n.ledger.serves() {
		return
	}
	for _, z := range []*load{w.zone(n.zone), w.all} {
		z.nodes.add(w.now, sign)
		z.cpu.has.add(w.now, sign*n.group.CPU)
		z.memory.has.add(w.now, sign*n.group.Memory)
	}
}

// measure takes what the node has given away over into the gauges.
func (n *node) measure() {
	w, l := n.w, &n.ledger
	var cpu, memory int64
	if l.serves() {
		cpu, memory = l.cpu, l.memory
	}
	dCPU, dMemory := cpu-l.gave.value, memory-l.gaveMemory
	l.gaveMemory = memory
	l.gave.add(w.now, dCPU)
	for _, z := range []*load{w.zone(n.zone), w.all} {
		z.cpu.gave.add(w.now, dCPU)
		z.memory.gave.add(w.now, dMemory)
	}
}
