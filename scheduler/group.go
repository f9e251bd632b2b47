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
	nodes   order // those that have any, by how many
	tallies []tally
	tasks   int
}

// tally is what a group has in a class.
type tally struct {
	class        *class
	nodes, tasks int
}

// tally returns what the group has in the class.
func (g *group) tally(c *class) tally {
	if g != nil {
		for i := range g.tallies {
			if g.tallies[i].class == c {
				return g.tallies[i]
			}
		}
	}
	return tally{class: c}
}

// count adds to what the group has in the class.
func (g *group) count(c *class, nodes, tasks int) {
	i := slices.IndexFunc(g.tallies, func(t tally) bool { return t.class == c })
	if i < 0 {
		i, g.tallies = len(g.tallies), append(g.tallies, tally{class: c})
	}
	t := &g.tallies[i]
	t.nodes += nodes
	if t.tasks += tasks; t.tasks == 0 {
		g.tallies = slices.Delete(g.tallies, i, i+1)
	}
}

// change counts a task of the group on the node (sign 1), or one less (-1).
func (g *group) change(n *node, sign int) {
	i := slices.IndexFunc(n.groups, func(h hosted) bool { return h.group == g })
	if i < 0 {
		i, n.groups = len(n.groups), append(n.groups, hosted{group: g})
	}
	was, is := n.groups[i].tasks, n.groups[i].tasks+sign
	if was > 0 {
		g.nodes.remove(entry{a: int64(was), hash: n.hash, node: n})
	}
	if is > 0 {
		g.nodes.insert(entry{a: int64(is), hash: n.hash, node: n})
		n.groups[i].tasks = is
	} else {
		n.groups = slices.Delete(n.groups, i, i+1)
	}
	for _, c := range n.homes {
		g.count(c, delta(was > 0, is > 0), sign)
	}
	g.tasks += sign
}
