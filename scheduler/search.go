package scheduler

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"

	"github.com/roadstead/roadstead/model"
)

// search is one decision on its way.
type search struct {
	*Index
	req    *Request
	domain *domain
	shape  *shape
	key    groupKey
	group  *group // nil: it has no tasks yet
	random rand.PCG

	ports    []port // that the task needs
	distinct bool   // only nodes without a task of the group
	checks   bool   // there is more to ask of a node than CPU, memory and the group's tasks
}

// scratch is memory that searches use again.
type scratch struct {
	req       Request
	key       []byte
	ports     []port
	classes   []*class // a stack: searches within searches
	weights   []int    // the same
	stretches [2][]stretch
	mark      int
	tried     []*node
	reserved  model.Resources
	address   [1]string
}

// newSearch prepares a decision; ok is false if there is no instance at all.
func (x *Index) newSearch(req *Request) (s search, ok bool) {
	d := x.domains[req.domain()]
	if d == nil {
		return search{}, false
	}
	s = search{Index: x, req: req, domain: d, shape: x.shapeOf(d, req), key: groupKey{req.Scope, req.Cluster, req.Group}}
	s.random.Seed(req.Seed, 0)
	s.ports = appendPorts(x.scratch.ports[:0], &req.Need)
	x.scratch.ports = s.ports
	for _, c := range req.Constraints {
		s.distinct = s.distinct || c.Type == model.ConstraintDistinctInstance
	}
	s.checks = len(s.ports) > 0 || req.GPUs != 0 || req.Need.ENIs > 0 || len(s.shape.attributes) > 0 || len(s.shape.zones) > 0 || len(s.shape.exprs) > 0
	return s, true
}

func appendPorts(dst []port, r *model.Resources) []port {
	for _, p := range r.PortsTCP {
		dst = append(dst, port(p))
	}
	for _, p := range r.PortsUDP {
		dst = append(dst, udp|port(p))
	}
	return dst
}

// span is a range of values, both included.
type span struct{ least, most int64 }

const (
	minimum = math.MinInt64
	maximum = math.MaxInt64
)

func (s span) has(v int64) bool { return s.least <= v && v <= s.most }
func (s span) exact() bool      { return s.least == s.most }

// from returns the values that are at least v, all of them if nothing is needed: an instance may be oversold by then, as
// when its row changed.
func from(need int64) span {
	if need <= 0 {
		return span{minimum, maximum}
	}
	return span{need, maximum}
}

// choose finds the node of the next copy; nil if none can take it.
func (s *search) choose() *node {
	s.group = s.groups[s.key]
	all := set{search: s, cpu: from(s.req.Need.CPU), memory: from(s.req.Need.Memory), tasks: span{0, maximum}}
	if s.distinct {
		all.tasks.most = 0
	}
	bottom := len(s.scratch.classes)
	for _, c := range s.shape.ready {
		if !s.full(c) {
			s.scratch.classes = append(s.scratch.classes, c)
		}
	}
	all.classes = s.scratch.classes[bottom:]
	n := all.solve(s.req.Strategy)
	s.scratch.classes = s.scratch.classes[:bottom]
	return n
}

// full reports whether no node of the class can take a copy, for a reason that the class knows.
func (s *search) full(c *class) bool {
	size := c.size()
	if s.req.Need.ENIs > 0 && c.noENI == size || s.req.GPUs != 0 && c.noGPU == size || s.distinct && s.group.nodesIn(c) == size {
		return true
	}
	return slices.ContainsFunc(s.ports, func(p port) bool { return c.ports[p] == size })
}

// fits asks a node what cannot be asked of its class.
func (s *search) fits(n *node) bool {
	if slices.ContainsFunc(s.ports, n.holds) || s.req.GPUs != 0 && n.freeGPUs() < n.wantedGPUs(s.req.GPUs) {
		return false
	}
	if need := int64(s.req.Need.ENIs); need > 0 && (n.enis < need || n.addresses.exhausted()) {
		return false
	}
	return inZone(n.instance, s.shape.zones) && hasAll(n.instance, s.shape.attributes) && matchAll(n, s.shape.exprs)
}

// below draws a number less than n.
func (s *search) below(n int) int {
	high, _ := bits.Mul64(s.random.Uint64(), uint64(n))
	return int(high)
}
