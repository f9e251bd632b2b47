package scheduler

import (
	"slices"

	"github.com/roadstead/roadstead/model"
)

// groupKey names a task group of a cluster (of the tasks' cluster, if the instances are of another).
type groupKey struct {
	model.Scope
	cluster, name string
}

// group is where the tasks of a task group are: what spread and distinctInstance look at. Tasks count until they are
// STOPPED, on any instance [I].
type group struct {
	name    string
	nodes   order    // those that have any, by how many
	members []uint64 // the same as bits, by the nodes' numbers: few enough to stay in the processor's cache
	tallies []tally
	tasks   int
}

// tally is what a group has in a class.
type tally struct {
	class        *class
	nodes, tasks int
	absent       *order // the class's nodes without any; nil until a search asks for it
}

// tally returns what the group has in the class; nil if nothing.
func (g *group) tally(c *class) *tally {
	if g != nil {
		for i := range g.tallies {
			if g.tallies[i].class == c {
				return &g.tallies[i]
			}
		}
	}
	return nil
}

// nodesIn is how many nodes of the class have tasks of the group.
func (g *group) nodesIn(c *class) int {
	if t := g.tally(c); t != nil {
		return t.nodes
	}
	return 0
}

// count adds to what the group has in the class.
func (g *group) count(c *class, nodes, tasks int) {
	t := g.tally(c)
	if t == nil {
		g.tallies = append(g.tallies, tally{class: c})
		t = &g.tallies[len(g.tallies)-1]
	}
	t.nodes += nodes
	t.tasks += tasks
	if t.absent != nil && (t.nodes == 0 || 2*t.nodes < c.size()) {
		t.absent = nil
		c.watching = slices.DeleteFunc(c.watching, func(w *group) bool { return w == g })
	}
	if t.tasks == 0 {
		g.tallies = slices.DeleteFunc(g.tallies, func(t tally) bool { return t.class == c })
	}
}

// absent returns the nodes of a class without tasks of the group, if they are so few that a search had better look there;
// nil if not. Whether it does follows from the numbers alone, not from what was asked before.
func (g *group) absent(c *class) *order {
	t := g.tally(c)
	if t == nil || 4*t.nodes < 3*c.size() {
		return nil
	}
	if t.absent == nil {
		t.absent = &order{nodes: g.nodes.nodes}
		for n := range c.nodes() {
			if !g.has(n.number) {
				t.absent.insert(entry{hash: n.hash, node: n.number})
			}
		}
		c.watching = append(c.watching, g)
	}
	return t.absent
}

// change counts a task of the group on the node (sign 1), or one less (-1).
func (g *group) change(n *node, sign int) {
	i := slices.IndexFunc(n.groups, func(h hosted) bool { return h.group == g })
	if i < 0 {
		i, n.groups = len(n.groups), append(n.groups, hosted{group: g})
	}
	was, is := n.groups[i].tasks, n.groups[i].tasks+sign
	before, after := entry{a: int64(was), hash: n.hash, node: n.number}, entry{a: int64(is), hash: n.hash, node: n.number}
	switch {
	case was > 0 && is > 0:
		g.nodes.move(before, after)
	case is > 0:
		g.nodes.insert(after)
	default:
		g.nodes.remove(before)
	}
	if n.groups[i].tasks = is; is == 0 {
		n.groups = slices.Delete(n.groups, i, i+1)
	}
	if delta(was > 0, is > 0) != 0 {
		g.flip(n.number)
	}
	for _, c := range n.homes {
		g.count(c, delta(was > 0, is > 0), sign)
		if t := g.tally(c); t != nil && t.absent != nil {
			t.move(n, was > 0, is > 0)
		}
	}
	g.tasks += sign
}

// flip makes the node a member, or ceases to.
func (g *group) flip(number int) {
	for len(g.members) <= number/64 {
		g.members = append(g.members, 0)
	}
	g.members[number/64] ^= 1 << (number % 64)
}

// has reports whether the node with the number has tasks of the group.
func (g *group) has(number int) bool {
	return g != nil && number/64 < len(g.members) && g.members[number/64]>>(number%64)&1 != 0
}

// move keeps the absent nodes in step with one that gets its first task, or loses its last.
func (t *tally) move(n *node, was, is bool) {
	switch e := (entry{hash: n.hash, node: n.number}); delta(was, is) {
	case 1:
		t.absent.remove(e)
	case -1:
		t.absent.insert(e)
	}
}
