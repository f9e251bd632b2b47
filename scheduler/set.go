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

// stretch is consecutive ranks of an order, among which nodes of a set are.
type stretch struct {
	order    *order
	from, to int
	by       basis
}

func (st *stretch) size() int { return st.to - st.from }

// basis says what an order is by.
type basis int

const (
	byCPU    basis = iota // free CPU, free memory; of a class
	byMemory              // free memory, free CPU; of a class
	byID                  // of the nodes of a class without tasks of the group
	byTasks               // of the nodes of all classes with tasks of the group
)

// tries is how many nodes are drawn before all are looked at.
const tries = 32

// draw returns one of the nodes, each as likely as any other; nil if there is none.
func (s *set) draw() *node {
	in, total := s.smallest()
	for range min(tries, total) {
		rank := s.below(total)
		for i := range in {
			st := &in[i]
			if rank >= st.size() {
				rank -= st.size()
				continue
			}
			if e := st.order.at(st.from + rank); s.has(st.by, e) {
				return s.roster[e.node]
			}
			break
		}
	}
	if total == 0 {
		return nil
	}
	// They are few of many. The least of numbers that the seed gives to each node is one of them by chance, in whatever order
	// they come.
	var best *node
	var least uint64
	salt := s.random.Uint64()
	for i := range in {
		s.walk(&in[i], func(e *entry) bool {
			if h := mix(e.hash ^ salt); (best == nil || h < least) && s.has(in[i].by, e) {
				best, least = s.roster[e.node], h
			}
			return true
		})
	}
	return best
}

// walk yields the entries of the stretch that have enough of the second value.
func (s *set) walk(st *stretch, yield func(*entry) bool) {
	least := int64(minimum)
	switch st.by {
	case byCPU:
		least = s.memory.least
	case byMemory:
		least = s.cpu.least
	case byID, byTasks:
	}
	st.order.walk(st.from, st.to, least, yield)
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
	case byID, byTasks:
		n := s.roster[e.node]
		if by == byTasks && !s.marked(n) || !s.cpu.has(n.cpu) || !s.memory.has(n.memory) {
			return false
		}
	}
	switch {
	case s.tasks.most == 0:
		if s.group.has(e.node) {
			return false
		}
	case s.tasks.least > 0 || s.tasks.most < maximum:
		if !s.tasks.has(int64(s.roster[e.node].tasksOf(s.group))) {
			return false
		}
	}
	if s.checks && !s.fits(s.roster[e.node]) {
		return false
	}
	for i := range s.values {
		if v := &s.values[i]; v.tasks[s.roster[e.node].value(v.name)] != v.want {
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

// smallest returns where to look for the set's nodes so that the fewest entries are looked at, and how many those are.
func (s *set) smallest() (in []stretch, total int) {
	in = s.scratch.stretches[0][:0]
	for _, c := range s.classes {
		st := c.stretch(byCPU, s)
		if st.size() > 0 {
			if other := c.stretch(byMemory, s); other.size() < st.size() {
				st = other
			}
		}
		if st.size() > 0 && s.tasks.most == 0 {
			if none := s.group.absent(c); none != nil && none.size < st.size() {
				st = stretch{none, 0, none.size, byID}
			}
		}
		if st.size() > 0 {
			in = append(in, st)
			total += st.size()
		}
	}
	s.scratch.stretches[0] = in
	if s.tasks.least > 0 {
		if st := s.hosts(); st.size() < total {
			in = append(s.scratch.stretches[1][:0], st)
			s.scratch.stretches[1] = in
			total = st.size()
		}
	}
	return in, total
}

// stretch returns where the set's nodes are in one of the class's orders.
func (c *class) stretch(by basis, s *set) stretch {
	if by == byMemory {
		return c.byMemory.stretch(by, s.memory, s.cpu)
	}
	return c.byCPU.stretch(by, s.cpu, s.memory)
}

// hosts returns where the set's nodes are among those that have tasks of the group, and marks the set's classes.
func (s *set) hosts() stretch {
	s.scratch.mark++
	for _, c := range s.classes {
		c.mark = s.scratch.mark
	}
	return s.group.nodes.stretch(byTasks, s.tasks, span{minimum, maximum})
}

// stretch returns the ranks where a is in the span, and b too if a is one value.
func (o *order) stretch(by basis, a, b span) stretch {
	if a.exact() {
		return stretch{o, o.rank(a.least, b.least), o.upTo(a.least, b.most), by}
	}
	return stretch{o, o.rank(a.least, minimum), o.upTo(a.most, maximum), by}
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
	sorted := by
	if by == byCPU && s.memory.exact() {
		sorted = byMemory // in which the nodes are by CPU, as soon as the memory is given
	} else if by == byMemory && s.cpu.exact() {
		sorted = byCPU
	}
	look := func(st stretch) {
		s.walk(&st, func(e *entry) bool {
			var v int64
			switch {
			case st.by == by:
				v = e.a
			case st.by == sorted:
				v = e.b
			case by == byCPU:
				v = s.roster[e.node].cpu
			default:
				v = s.roster[e.node].memory
			}
			if ok && v >= least {
				return st.by != sorted // what follows is no less
			}
			if s.has(st.by, e) {
				least, ok = v, true
			}
			return true
		})
	}
	if s.tasks.least > 0 {
		if st := s.hosts(); st.size() <= blockSize {
			look(st)
			return least, ok
		}
	}
	for _, c := range s.classes {
		if s.tasks.most == 0 {
			if none := s.group.absent(c); none != nil && none.size <= blockSize {
				look(stretch{none, 0, none.size, byID})
				continue
			}
		}
		look(c.stretch(sorted, s))
	}
	return least, ok
}
