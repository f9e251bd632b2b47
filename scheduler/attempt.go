package scheduler

import (
	"slices"

	"github.com/roadstead/roadstead/model"
)

// attempt is what the last Place has tried and not yet taken back: mostly the tasks with these places are told next, and
// each is then counted already. Whatever else is asked or told first takes back the rest (settle), so nobody sees it.
type attempt struct {
	key        groupKey
	nodes      []*node // one for each placement but the last, for which nothing was tried
	placements []Placement
}

// settle takes back what was tried and did not come to be.
func (x *Index) settle() {
	for i, n := range slices.Backward(x.attempt.nodes) {
		x.try(n, &x.attempt.placements[i], -1)
	}
	x.attempt = attempt{}
}

// try counts a copy of the scratch's request on the node (sign 1), or no longer (-1).
func (x *Index) try(n *node, p *Placement, sign int) {
	n.take(x.reserved(p), int64(sign))
	n.countFamily(x.scratch.req.Family, sign)
	x.member(n, x.attempt.key, sign)
}

// reserved is what a copy of the scratch's request has at the place. It is valid until the next call.
func (x *Index) reserved(p *Placement) *model.Resources {
	r := &x.scratch.reserved
	*r = x.scratch.req.Need
	r.GPUs = p.GPUs
	if p.Address != "" {
		x.scratch.address[0] = p.Address
		r.Addresses = x.scratch.address[:]
	}
	return r
}

// adopt reports whether the task is the next of the attempt's copies, which is then one that stays.
func (x *Index) adopt(t *model.Task) bool {
	if len(x.attempt.nodes) == 0 {
		return false
	}
	n := x.attempt.nodes[0]
	if n.key != nodeOf(t) || x.attempt.key != (groupKey{t.Scope, t.Cluster, t.Group}) || familyOf(t) != x.scratch.req.Family ||
		!sameResources(&t.Reserved, x.reserved(&x.attempt.placements[0])) {
		return false
	}
	n.running += one(runs(t))
	x.attempt.nodes, x.attempt.placements = x.attempt.nodes[1:], x.attempt.placements[1:]
	return true
}
