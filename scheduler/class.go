package scheduler

import (
	"slices"

	"github.com/roadstead/roadstead/model"
)

// class is the instances of a domain that are alike in all that does not change with their tasks: status, agent,
// attributes, how many GPUs. What a request asks of those is asked once for all of them. A loose attribute does not count.
type class struct {
	signature string
	at        int             // its place in the domain's classes
	sample    *model.Instance // one that is or was in it: all that its nodes have in common
	mark      int             // of the set that a search looks at

	byCPU    order // free CPU, free memory
	byMemory order // free memory, free CPU

	// How many nodes have no GPU or no network interface left, or have a port taken: if all, a search passes over the class.
	noGPU, noENI int
	ports        portCount

	watching []*group // those that keep the nodes where they are absent
}

type portCount map[port]int

func (c portCount) add(p port, n int) {
	if c[p] += n; c[p] == 0 {
		delete(c, p)
	}
}

func (c *class) size() int { return c.byCPU.size }

// list and unlist enter the node in the orders, and take it out.
func (c *class) list(n *node) {
	c.byCPU.insert(entry{n.cpu, n.memory, n.hash, n.number})
	c.byMemory.insert(entry{n.memory, n.cpu, n.hash, n.number})
}

func (c *class) unlist(n *node) {
	c.byCPU.remove(entry{n.cpu, n.memory, n.hash, n.number})
	c.byMemory.remove(entry{n.memory, n.cpu, n.hash, n.number})
}

// relist moves the node in the orders, whose free CPU and free memory were others.
func (c *class) relist(n *node, cpu, memory int64) {
	c.byCPU.move(entry{cpu, memory, n.hash, n.number}, entry{n.cpu, n.memory, n.hash, n.number})
	c.byMemory.move(entry{memory, cpu, n.hash, n.number}, entry{n.memory, n.cpu, n.hash, n.number})
}

func (c *class) enter(n *node) {
	c.list(n)
	n.homes = append(n.homes, c)
	c.count(n, +1)
	for _, g := range c.watching {
		g.tally(c).move(n, true, g.has(n.number))
	}
}

func (c *class) leave(n *node) {
	c.unlist(n)
	n.homes = slices.DeleteFunc(n.homes, func(h *class) bool { return h == c })
	c.count(n, -1)
	for _, g := range c.watching {
		if !g.has(n.number) {
			g.tally(c).absent.remove(entry{hash: n.hash, node: n.number})
		}
	}
}

func (c *class) count(n *node, sign int) {
	c.countDevices(n, sign)
	for i, p := range n.system {
		if !slices.Contains(n.system[:i], p) {
			c.ports.add(p, sign)
		}
	}
	for i, p := range n.ports {
		if !slices.Contains(n.ports[:i], p) && !slices.Contains(n.system, p) {
			c.ports.add(p, sign)
		}
	}
	for _, h := range n.groups {
		h.group.count(c, sign, sign*h.tasks)
	}
}

func (c *class) countDevices(n *node, sign int) {
	c.noGPU += sign * one(n.freeGPUs() == 0)
	c.noENI += sign * one(n.enis <= 0)
}
