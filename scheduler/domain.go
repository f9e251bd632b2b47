package scheduler

import (
	"cmp"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/roadstead/roadstead/model"
)

// domainKey names a cluster; with cluster "" all instances of the scope that take FARGATE tasks, of whatever cluster.
type domainKey struct {
	model.Scope
	cluster string
}

// domain is the instances that a request may choose from, in classes. Which class an instance is in follows from the rows
// alone, not from how they came to be: a search draws from classes, and must draw the same from an index made anew.
type domain struct {
	nodes   *roster
	classes []*class // by signature
	of      map[string]*class
	traits  map[string]*trait // by name

	generation int // of the classes; what is derived from older ones is made anew
	shapes     map[string]*shape
	splits     map[string]*split

	sorting []*model.Attribute // of signature, which uses them again
	key     []byte
}

// trait is an attribute that nodes of a domain have.
type trait struct {
	values map[string]int // how many nodes have each
	nodes  int            // that have it
	loose  bool
}

// An attribute with more than manyValues says little about many instances, and one with more than fewValues and nearly as
// many as there are nodes is like a name: they are loose, and each instance is asked by itself.
const (
	manyValues = 64
	fewValues  = 8
)

// versionTrait stands for the agent's version, which makes classes as an attribute does.
const versionTrait = "\x00agentVersion"

func newDomain(nodes *roster) *domain {
	return &domain{nodes: nodes, of: map[string]*class{}, traits: map[string]*trait{}}
}

// traits yields what can make classes: names and values, of which one that is there without a value differs from "".
func traits(i *model.Instance) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, a := range i.Attributes {
			value := a.Value
			if a.HasValue {
				value = "=" + value
			}
			if !yield(a.Name, value) {
				return
			}
		}
		yield(versionTrait, i.AgentVersion)
	}
}

// loose reports whether the attribute does not make classes.
func (d *domain) loose(name string) bool {
	if name == model.SubnetAttribute {
		return true
	}
	t := d.traits[name]
	return t != nil && t.loose
}

// join and part make the node one of the domain's, and let it go. If it comes back with the same traits, they need no count.
func (d *domain) join(n *node, same bool) {
	if !same && d.count(n.instance, +1) {
		d.regroup()
	}
	d.classOf(n.instance).enter(n)
}

func (d *domain) part(n *node, c *class, same bool) {
	c.leave(n)
	if c.size() == 0 {
		d.drop(c)
	}
	if !same && d.count(n.instance, -1) {
		d.regroup()
	}
}

// count counts the values of the instance's attributes and reports whether one became loose, or ceased to be.
func (d *domain) count(i *model.Instance, sign int) (changed bool) {
	for name, value := range traits(i) {
		t := d.traits[name]
		if t == nil {
			t = &trait{values: map[string]int{}}
			d.traits[name] = t
		}
		t.nodes += sign
		if t.values[value] += sign; t.values[value] == 0 {
			delete(t.values, value)
		}
		n := len(t.values)
		loose := (n > manyValues || n > fewValues && 2*n > t.nodes) && name != model.PoolAttribute
		if loose != t.loose {
			t.loose, changed = loose, changed || name != model.SubnetAttribute
		}
		if t.nodes == 0 {
			delete(d.traits, name)
		}
	}
	return changed
}

// regroup makes the classes anew.
func (d *domain) regroup() {
	old := d.classes
	d.classes, d.of = nil, map[string]*class{}
	d.generation++
	for _, c := range old {
		for n := range c.nodes() {
			c.leave(n)
			d.classOf(n.instance).enter(n)
		}
	}
}

// nodes returns the class's nodes, which may leave it meanwhile.
func (c *class) nodes() iter.Seq[*node] {
	var all []*node
	c.byCPU.walk(0, c.size(), minimum, func(e *entry) bool { all = append(all, (*c.byCPU.nodes)[e.node]); return true })
	return slices.Values(all)
}

// classOf returns the class of an instance, making it if there is none.
func (d *domain) classOf(i *model.Instance) *class {
	b := d.signature(i)
	if c := d.of[string(b)]; c != nil {
		return c
	}
	s := string(b)
	c := &class{signature: s, sample: i, ports: portCount{}, byCPU: order{nodes: d.nodes}, byMemory: order{nodes: d.nodes}}
	d.of[s] = c
	at, _ := slices.BinarySearchFunc(d.classes, s, func(c *class, s string) int { return strings.Compare(c.signature, s) })
	d.classes = slices.Insert(d.classes, at, c)
	d.number(at)
	return c
}

func (d *domain) drop(c *class) {
	delete(d.of, c.signature)
	d.classes = slices.Delete(d.classes, c.at, c.at+1)
	d.number(c.at)
}

// number gives the classes from a place on their numbers, after one came or went.
func (d *domain) number(from int) {
	d.generation++
	for i := from; i < len(d.classes); i++ {
		d.classes[i].at = i
	}
}

// signature is the same for all instances of a class, and only for them. It is valid until the next call.
func (d *domain) signature(i *model.Instance) []byte {
	d.sorting = d.sorting[:0]
	for k := range i.Attributes {
		if a := &i.Attributes[k]; !d.loose(a.Name) {
			d.sorting = append(d.sorting, a)
		}
	}
	slices.SortFunc(d.sorting, func(a, b *model.Attribute) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Value, b.Value))
	})
	d.key = strconv.AppendBool(append(d.key[:0], i.Status...), i.AgentConnected)
	d.key = strconv.AppendInt(d.key, int64(len(i.Resources.GPUs)), 10)
	if !d.loose(versionTrait) {
		d.key = append(append(d.key, 1), i.AgentVersion...)
	}
	for _, a := range d.sorting {
		d.key = append(append(d.key, 1), a.Name...)
		if a.HasValue {
			d.key = append(append(d.key, 2), a.Value...)
		}
	}
	return d.key
}

// split is the domain's classes by the value of an attribute that is not loose.
type split struct {
	generation int
	of         []int // the value's number, by a class's place
	values     int
}

// split returns the classes by the attribute's value. Those without the attribute are one with those whose value is empty.
func (d *domain) split(name string) *split {
	if s := d.splits[name]; s != nil && s.generation == d.generation {
		return s
	}
	s := &split{generation: d.generation, of: make([]int, len(d.classes))}
	numbers := map[string]int{}
	for i, c := range d.classes {
		a, _ := c.sample.Attribute(name)
		n, ok := numbers[a.Value]
		if !ok {
			n = len(numbers)
			numbers[a.Value] = n
		}
		s.of[i] = n
	}
	s.values = len(numbers)
	if d.splits == nil || len(d.splits) >= maxShapes {
		d.splits = map[string]*split{}
	}
	d.splits[name] = s
	return s
}
