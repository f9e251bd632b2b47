package scheduler

// set is the nodes that are left to choose from, described and not listed: those of the classes whose free CPU, free memory
// and tasks of the group are in the spans, and that satisfy the rest.
type set struct {
	*search
	classes            []*class
	cpu, memory, tasks span
	values             []valueSpread
}

// valueSpread asks for the nodes whose value of a loose attribute has a number of the group's tasks.
type valueSpread struct {
	name  string
	tasks map[string]int // by value; a value without any is not in it
	want  int
}

// stretch is consecutive ranks of an order.
type stretch struct {
	order    *order
	from, to int
}

// basis is by which order a set's nodes are looked at.
type basis int

const (
	byCPU basis = iota
	byMemory
	byTasks
)

// tries is how many nodes are drawn before all are looked at.
const tries = 32

// draw returns one of the nodes, each as likely as any other; nil if there is none.
func (s *set) draw() *node {
	by, in, total := s.smallest()
	for range min(tries, total) {
		rank := s.below(total)
		for _, st := range in {
			if n := st.to - st.from; rank >= n {
				rank -= n
				continue
			}
			if e := st.order.at(st.from + rank); s.has(by, e) {
				return e.node
			}
			break
		}
	}
	if total == 0 {
		return nil
	}
	// They are few of many. The least of numbers that the seed gives to each node is one of them by chance, in whatever order they come.
	var best *node
	var least uint64
	salt := s.random.Uint64()
	s.each(by, in, func(e *entry) bool {
		if h := mix(e.hash ^ salt); best == nil || h < least {
			best, least = e.node, h
		}
		return true
	})
	return best
}

// each yields the set's nodes within the stretches, and reports whether all were yielded.
func (s *set) each(by basis, in []stretch, yield func(*entry) bool) bool {
	for _, st := range in {
		if !st.order.walk(st.from, st.to, s.leastB(by), func(e *entry) bool { return !s.has(by, e) || yield(e) }) {
			return false
		}
	}
	return true
}

// leastB is the least second value that entries of the set have in the order.
func (s *set) leastB(by basis) int64 {
	switch by {
	case byCPU:
		return s.memory.least
	case byMemory:
		return s.cpu.least
	case byTasks:
	}
	return minimum
}

// has reports whether the entry of an order is one of the set's. Those of the orders of classes are in a class of the set.
func (s *set) has(by basis, e *entry) bool {
	switch by {
	case byCPU:
		if !s.cpu.has(e.a) || !s.memory.has(e.b) {
			return false
		}
	case byMemory:
		if !s.memory.has(e.a) || !s.cpu.has(e.b) {
			return false
		}
	case byTasks:
		if !s.marked(e.node) || !s.cpu.has(e.node.cpu) || !s.memory.has(e.node.memory) {
			return false
		}
	}
	if (s.tasks.least > 0 || s.tasks.most < maximum) && !s.tasks.has(int64(e.node.tasksOf(s.group))) {
		return false
	}
	if s.checks && !s.fits(e.node) {
		return false
	}
	for i := range s.values {
		if v := &s.values[i]; v.tasks[e.node.value(v.name)] != v.want {
			return false
		}
	}
	return true
}

// value is the node's value of an attribute, "" if it has none.
func (n *node) value(name string) string {
	a, _ := n.instance.Attribute(name)
	return a.Value
}

func (s *set) marked(n *node) bool {
	for _, c := range n.homes {
		if c.mark == s.scratch.mark {
			return true
		}
	}
	return false
}

// smallest returns the basis by which the fewest entries have to be looked at, and where they are.
func (s *set) smallest() (basis, []stretch, int) {
	best := byCPU
	in, total := s.stretches(byCPU)
	for by := byMemory; by <= byTasks && total > 0; by++ {
		if by == byTasks && s.tasks.least == 0 {
			break
		}
		if list, n := s.stretches(by); n < total {
			best, in, total = by, list, n
		}
	}
	return best, in, total
}

// stretches returns where the set's nodes are in the orders, among others, and how many entries that is.
func (s *set) stretches(by basis) (in []stretch, total int) {
	in = s.scratch.stretches[by][:0]
	add := func(o *order, a, b span) {
		if st := o.stretch(a, b); st.from < st.to {
			in = append(in, st)
			total += st.to - st.from
		}
	}
	switch by {
	case byCPU:
		for _, c := range s.classes {
			add(&c.byCPU, s.cpu, s.memory)
		}
	case byMemory:
		for _, c := range s.classes {
			add(&c.byMemory, s.memory, s.cpu)
		}
	case byTasks:
		if s.group != nil {
			add(&s.group.nodes, s.tasks, span{minimum, maximum})
		}
		s.scratch.mark++
		for _, c := range s.classes {
			c.mark = s.scratch.mark
		}
	}
	s.scratch.stretches[by] = in
	return in, total
}

// stretch returns the ranks where a is in the span, and b too if a is one value.
func (o *order) stretch(a, b span) stretch {
	if a.exact() {
		return stretch{o, o.rank(a.least, b.least), o.upTo(a.least, b.most)}
	}
	return stretch{o, o.rank(a.least, minimum), o.upTo(a.most, maximum)}
}

// upTo is the rank after all with at most these values.
func (o *order) upTo(a, b int64) int {
	switch {
	case b < maximum:
		return o.rank(a, b+1)
	case a < maximum:
		return o.rank(a+1, minimum)
	}
	return o.size
}

// least returns the least free CPU or memory of the nodes; ok is false if there is none.
func (s *set) least(by basis) (least int64, ok bool) {
	walk := by
	if by == byCPU && s.memory.exact() {
		walk = byMemory // in which the nodes are by CPU, as soon as the memory is given
	} else if by == byMemory && s.cpu.exact() {
		walk = byCPU
	}
	in, _ := s.stretches(walk)
	if s.tasks.least > 0 {
		if few, n := s.stretches(byTasks); n < blockSize {
			walk, in = byTasks, few
		}
	}
	for _, st := range in {
		st.order.walk(st.from, st.to, s.leastB(walk), func(e *entry) bool {
			v := e.node.memory
			switch {
			case walk == by:
				v = e.a
			case walk != byTasks:
				v = e.b
			case by == byCPU:
				v = e.node.cpu
			}
			if ok && v >= least {
				return walk == byTasks
			}
			if s.has(walk, e) {
				least, ok = v, true
			}
			return true
		})
	}
	return least, ok
}
