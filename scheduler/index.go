package scheduler

import (
	"slices"
	"strings"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/query"
	"github.com/roadstead/roadstead/state"
)

// Index is what the decisions are made from: instances with what they have left, in the orders in which they are looked
// for (DESIGN.md). It implements state.Index and belongs to whoever holds the head's lock: decisions use it, and leave it as
// it was.
type Index struct {
	nodes   map[nodeKey]*node
	domains map[domainKey]*domain
	groups  map[groupKey]*group
	exprs   map[string]parsed
	roster  roster
	numbers []int // of the roster that are free
	attempt attempt
	scratch scratch
}

// parsed is what became of an expression.
type parsed struct {
	expr *query.Expr
	err  error
}

// maxExprs and maxShapes are how many expressions an index remembers, and how many kinds of requests each domain. When
// there are more it forgets them all: they are cheap to make, and few unless somebody plays.
const (
	maxExprs  = 4096
	maxShapes = 1024
)

// NewIndex returns an index of no rows.
func NewIndex() *Index {
	return &Index{nodes: map[nodeKey]*node{}, domains: map[domainKey]*domain{}, groups: map[groupKey]*group{}, exprs: map[string]parsed{}}
}

// IndexOf returns an index of the rows.
func IndexOf(t *state.Tables) *Index {
	x := NewIndex()
	for task := range t.Tasks.All() { // first, while no order has to be kept for them
		x.Task(nil, task)
	}
	for i := range t.Instances.All() {
		x.Instance(nil, i)
	}
	return x
}

// Instance implements state.Index.
func (x *Index) Instance(old, new *model.Instance) {
	x.settle()
	row := new
	if row == nil {
		row = old
	}
	n := x.node(nodeKey{row.Scope, row.Cluster, row.ID})
	if n.instance != nil && new != nil && alike(n.instance, new) {
		n.instance = new
		return
	}
	same := n.instance != nil && new != nil && sameTraits(n.instance, new)
	domains := [...]domainKey{{row.Scope, row.Cluster}, {row.Scope, ""}}
	for _, key := range domains {
		if d := x.domains[key]; d != nil {
			for _, c := range slices.Clone(n.homes) {
				if d.of[c.signature] == c {
					d.part(n, c, same)
				}
			}
		}
	}
	n.describe(new)
	if new != nil && new.Status != model.InstanceInactive {
		if !new.FargateOnly() {
			x.domain(domains[0]).join(n, same)
		}
		if new.TakesFargate() || new.FargateOnly() {
			x.domain(domains[1]).join(n, same)
		}
	}
	for _, key := range domains {
		if d := x.domains[key]; d != nil && len(d.classes) == 0 {
			delete(x.domains, key)
		}
	}
	x.forget(n)
}

// sameTraits reports whether both are in the same domains, and have the same traits in them.
func sameTraits(a, b *model.Instance) bool {
	return (a.Status == model.InstanceInactive) == (b.Status == model.InstanceInactive) && a.AgentVersion == b.AgentVersion &&
		slices.Equal(a.Attributes, b.Attributes)
}

// alike reports whether the rows differ in nothing that the index orders by.
func alike(a, b *model.Instance) bool {
	r, s := &a.Resources, &b.Resources
	return a.Status == b.Status && a.AgentConnected == b.AgentConnected && sameTraits(a, b) && r.CPU == s.CPU && r.Memory == s.Memory && r.ENIs == s.ENIs &&
		slices.Equal(r.PortsTCP, s.PortsTCP) && slices.Equal(r.PortsUDP, s.PortsUDP) && slices.Equal(r.GPUs, s.GPUs)
}

// Task implements state.Index. Most changes of a task are none for the index.
func (x *Index) Task(old, new *model.Task) {
	was, is := holds(old), holds(new)
	switch {
	case was && is && sameHold(old, new):
		if d := delta(runs(old), runs(new)); d != 0 {
			x.node(nodeOf(new)).running += d
		}
		return
	case !was && !is, !was && x.adopt(new):
		return
	}
	x.settle()
	if was {
		n := x.node(nodeOf(old))
		n.take(&old.Reserved, -1)
		n.running -= one(runs(old))
		n.countFamily(familyOf(old), -1)
		x.member(n, groupKey{old.Scope, old.Cluster, old.Group}, -1)
		x.forget(n)
	}
	if is {
		n := x.node(nodeOf(new))
		n.take(&new.Reserved, +1)
		n.running += one(runs(new))
		n.countFamily(familyOf(new), +1)
		x.member(n, groupKey{new.Scope, new.Cluster, new.Group}, +1)
	}
}

// holds reports whether the task takes resources of an instance: from its placement until it is STOPPED (SEMANTICS §4.6).
func holds(t *model.Task) bool { return t != nil && t.Instance != "" && t.Last != model.TaskStopped }

// runs reports whether the task counts as one of its instance's running tasks.
func runs(t *model.Task) bool { return t.Last == model.TaskRunning && t.Desired == model.TaskRunning }

func sameHold(a, b *model.Task) bool {
	return a.Instance == b.Instance && a.InstanceCluster == b.InstanceCluster && a.Group == b.Group && a.Definition == b.Definition &&
		sameResources(&a.Reserved, &b.Reserved)
}

func sameResources(r, s *model.Resources) bool {
	return r.CPU == s.CPU && r.Memory == s.Memory && r.ENIs == s.ENIs && slices.Equal(r.PortsTCP, s.PortsTCP) &&
		slices.Equal(r.PortsUDP, s.PortsUDP) && slices.Equal(r.GPUs, s.GPUs) && slices.Equal(r.Addresses, s.Addresses)
}

func nodeOf(t *model.Task) nodeKey {
	if t.InstanceCluster != "" {
		return nodeKey{t.Scope, t.InstanceCluster, t.Instance}
	}
	return nodeKey{t.Scope, t.Cluster, t.Instance}
}

// familyOf is the family of the task's definition, FAMILY:REVISION.
func familyOf(t *model.Task) string {
	family, _, _ := strings.Cut(t.Definition, ":")
	return family
}

// node returns the node with the key, making it if there is none.
func (x *Index) node(key nodeKey) *node {
	n := x.nodes[key]
	if n == nil {
		number := len(x.roster)
		if last := len(x.numbers) - 1; last >= 0 {
			number, x.numbers = x.numbers[last], x.numbers[:last]
		} else {
			x.roster = append(x.roster, nil)
		}
		n = newNode(key, number)
		x.nodes[key], x.roster[number] = n, n
	}
	return n
}

func (x *Index) forget(n *node) {
	if n.empty() {
		delete(x.nodes, n.key)
		x.roster[n.number] = nil
		x.numbers = append(x.numbers, n.number)
	}
}

func (x *Index) domain(key domainKey) *domain {
	d := x.domains[key]
	if d == nil {
		d = newDomain(&x.roster)
		x.domains[key] = d
	}
	return d
}

// member counts a task of the group on the node. A task without a group counts for none.
func (x *Index) member(n *node, key groupKey, sign int) {
	if key.name == "" {
		return
	}
	g := x.groups[key]
	if g == nil {
		g = &group{name: key.name, nodes: order{nodes: &x.roster}}
		x.groups[key] = g
	}
	if g.change(n, sign); g.tasks == 0 {
		delete(x.groups, key)
	}
}

// expr returns the parsed expression.
func (x *Index) expr(text string) (*query.Expr, error) {
	p, ok := x.exprs[text]
	if !ok {
		if len(x.exprs) >= maxExprs {
			clear(x.exprs)
		}
		p.expr, p.err = query.Parse(text)
		x.exprs[text] = p
	}
	return p.expr, p.err
}

// Head returns the index of the head that the transaction is on.
func Head(tx *state.Tx) *Index { return tx.Index().(*Index) } //nolint:errcheck // state.Config.NewIndex makes it
