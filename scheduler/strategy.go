package scheduler

import (
	"maps"
	"slices"
	"strings"

	"github.com/roadstead/roadstead/model"
)

// solve refines the set by one strategy after the other, each of which keeps the best nodes, and draws one of what is left
// (SEMANTICS §5.4). Without a strategy it is any of those that fit [D: no default is documented for RunTask].
func (s set) solve(strategy []model.PlacementStrategy) *node {
	if len(s.classes) == 0 {
		return nil
	}
	if len(strategy) == 0 {
		return s.draw()
	}
	first, rest := strategy[0], strategy[1:]
	switch first.Type {
	case model.StrategyBinpack:
		return s.pack(first.Field, rest)
	case model.StrategySpread:
		name, attribute := strings.CutPrefix(first.Field, model.FieldAttribute)
		switch {
		case !attribute:
			return s.spreadNodes(rest)
		case s.domain.loose(name):
			return s.spreadValues(name, rest)
		}
		return s.spreadClasses(name, rest)
	}
	return s.draw()
}

// pack keeps the nodes with the least left.
func (s set) pack(field string, rest []model.PlacementStrategy) *node {
	by, of := byCPU, &s.cpu
	if field == model.FieldMemory {
		by, of = byMemory, &s.memory
	}
	v, ok := s.least(by)
	if !ok {
		return nil
	}
	*of = span{v, v}
	return s.solve(rest)
}

// spreadNodes keeps the nodes with the fewest tasks of the group.
func (s set) spreadNodes(rest []model.PlacementStrategy) *node {
	if s.group == nil {
		return s.solve(rest)
	}
	if s.tasks.least == 0 && slices.ContainsFunc(s.classes, func(c *class) bool { return s.group.nodesIn(c) < c.size() }) {
		none := s
		none.tasks.most = 0
		if n := none.solve(rest); n != nil {
			return n
		}
	}
	for rank := s.group.nodes.rank(max(s.tasks.least, 1), minimum); rank < s.group.nodes.size; {
		tasks := s.group.nodes.at(rank).a
		if tasks > s.tasks.most {
			break
		}
		some := s
		some.tasks = span{tasks, tasks}
		if n := some.solve(rest); n != nil {
			return n
		}
		rank = s.group.nodes.rank(tasks+1, minimum)
	}
	return nil
}

// spreadClasses keeps the classes whose value of the attribute has the fewest tasks of the group.
func (s set) spreadClasses(name string, rest []model.PlacementStrategy) *node {
	if s.group == nil {
		return s.solve(rest)
	}
	split := s.domain.split(name)
	bottom := len(s.scratch.weights)
	defer func() { s.scratch.weights = s.scratch.weights[:bottom] }()
	s.scratch.weights = append(s.scratch.weights, make([]int, split.values)...)
	weights := s.scratch.weights[bottom:]
	for _, t := range s.group.tallies {
		if s.domain.of[t.class.signature] == t.class {
			weights[split.of[t.class.at]] += t.tasks
		}
	}
	for done := -1; ; {
		next := -1
		for _, c := range s.classes {
			if w := weights[split.of[c.at]]; w > done && (next < 0 || w < next) {
				next = w
			}
		}
		if next < 0 {
			return nil
		}
		if n := s.within(rest, func(c *class) bool { return weights[split.of[c.at]] == next }); n != nil {
			return n
		}
		done = next
	}
}

// within solves the rest for some of the classes.
func (s set) within(rest []model.PlacementStrategy, keep func(*class) bool) *node {
	bottom := len(s.scratch.classes)
	for _, c := range s.classes {
		if keep(c) {
			s.scratch.classes = append(s.scratch.classes, c)
		}
	}
	s.classes = s.scratch.classes[bottom:]
	n := s.solve(rest)
	s.scratch.classes = s.scratch.classes[:bottom]
	return n
}

// spreadValues keeps the nodes whose value of a loose attribute has the fewest tasks of the group.
func (s set) spreadValues(name string, rest []model.PlacementStrategy) *node {
	if s.group == nil {
		return s.solve(rest)
	}
	tasks := map[string]int{}
	s.group.nodes.walk(0, s.group.nodes.size, minimum, func(e *entry) bool {
		n := s.roster[e.node]
		if slices.ContainsFunc(n.homes, func(c *class) bool { return s.domain.of[c.signature] == c }) {
			tasks[n.value(name)] += int(e.a)
		}
		return true
	})
	some := s
	for _, want := range append([]int{0}, slices.Sorted(maps.Values(tasks))...) {
		some.values = append(slices.Clip(s.values), valueSpread{name, tasks, want})
		if n := some.solve(rest); n != nil {
			return n
		}
	}
	return nil
}
