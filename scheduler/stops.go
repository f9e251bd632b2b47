package scheduler

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/roadstead/roadstead/model"
)

// Member is a task of a service, with what the service knows of it.
type Member struct {
	Task      *model.Task
	Age       int  // how many deployments are newer than the task's
	Protected bool // never stopped (SEMANTICS §8.11)
}

// StopRequest asks for Count tasks of a service to be stopped.
type StopRequest struct {
	// Members are all tasks of the service that are wanted RUNNING, protected ones too: those count for a spread.
	Members  []Member
	Count    int
	Strategy []model.PlacementStrategy // the service's
	Seed     uint64                    // decides ties
}

// Stop is a task to be stopped, and the first rule that set it apart from others.
type Stop struct {
	Task   *model.Task
	Reason string
}

// ChooseStops returns the tasks to stop, in order (SEMANTICS §5.5): fewer than asked for if the others are protected. Those that
// do not run yet come first, then unhealthy ones, those on DRAINING instances, those of older deployments [I]; then what the
// service's strategy would rather not have [D], without one the zone and then the instance with the most [I]; then chance.
func ChooseStops(x *Index, req StopRequest) []Stop {
	x.settle()
	s := newStops(x, &req)
	var left []int // members, by their places
	for i, m := range req.Members {
		if !m.Protected {
			left = append(left, i)
		}
	}
	// What does not depend on the tasks already chosen sorts them once; the strategy chooses among equals, one by one.
	slices.SortStableFunc(left, func(i, j int) int { _, c := s.compare(i, j); return c })
	random := rand.New(rand.NewPCG(req.Seed, 0))
	var out []Stop
	for len(left) > 0 && len(out) < req.Count {
		equal, reason := 1, ""
		for ; equal < len(left); equal++ {
			if why, c := s.compare(left[0], left[equal]); c != 0 {
				reason = why
				break
			}
		}
		alike := left[:equal]
		for left = left[equal:]; len(alike) > 0 && len(out) < req.Count; {
			best, by := s.choose(alike)
			i := best[random.IntN(len(best))]
			why := reason
			switch {
			case why != "":
			case by != nil:
				why = by.reason(i)
			case len(alike) == 1:
				why = "no other is left"
			default:
				why = "random"
			}
			out = append(out, Stop{req.Members[i].Task, why})
			for _, step := range s.steps {
				step.stop(i)
			}
			alike = slices.DeleteFunc(alike, func(j int) bool { return j == i })
		}
	}
	return out
}

// stops is a choice of tasks to stop on its way.
type stops struct {
	members []Member
	nodes   []*node // of the members; nil if the index does not know it
	steps   []stopStep
	kept    [][]int // of each step, to be used again
}

// stopStep is a strategy as seen by tasks that stop: it prefers those with the greatest weight.
type stopStep interface {
	weight(member int) int64
	stop(member int)
	reason(member int) string
}

func newStops(x *Index, req *StopRequest) *stops {
	s := &stops{members: req.Members}
	for _, m := range req.Members {
		n := x.nodes[nodeOf(m.Task)]
		if n != nil && n.instance == nil {
			n = nil
		}
		s.nodes = append(s.nodes, n)
	}
	strategy := req.Strategy
	if len(strategy) == 0 {
		strategy = []model.PlacementStrategy{{Type: model.StrategySpread, Field: model.FieldAttribute + zoneAttribute},
			{Type: model.StrategySpread, Field: model.FieldInstance}}
	}
	for _, st := range strategy {
		if st.Type == model.StrategyRandom {
			break
		}
		if st.Type == model.StrategyBinpack {
			s.steps = append(s.steps, newEmptiest(s, st.Field))
		} else {
			s.steps = append(s.steps, newFullest(s, st.Field))
		}
	}
	s.kept = make([][]int, len(s.steps))
	return s
}

// compare says which of two members is stopped first, whatever else is stopped, and why.
func (s *stops) compare(i, j int) (why string, c int) {
	a, b := s.members[i], s.members[j]
	if c := cmp.Compare(progress(a.Task), progress(b.Task)); c != 0 {
		return "task is " + a.Task.Last, c
	}
	if c := delta(unhealthy(a.Task), unhealthy(b.Task)); c != 0 {
		return "task is UNHEALTHY", c
	}
	if c := delta(s.draining(i), s.draining(j)); c != 0 {
		return "instance is DRAINING", c
	}
	return "task is of an older deployment", cmp.Compare(b.Age, a.Age)
}

// progress is how far the task is; all that have come as far as RUNNING are equal.
func progress(t *model.Task) int {
	return slices.Index([]string{model.TaskProvisioning, model.TaskPending, model.TaskActivating, t.Last}, t.Last)
}

func unhealthy(t *model.Task) bool { return t.Health == "UNHEALTHY" }

func (s *stops) draining(i int) bool {
	n := s.nodes[i]
	return n != nil && n.instance.Status == model.InstanceDraining
}

// choose returns the members that the strategy would rather not have, and its first part that says so; nil if none does.
func (s *stops) choose(among []int) (best []int, by stopStep) {
	best = among
	for n, step := range s.steps {
		kept, most := s.kept[n][:0], int64(0)
		for _, i := range best {
			switch w := step.weight(i); {
			case len(kept) == 0 || w > most:
				most, kept = w, append(kept[:0], i)
			case w == most:
				kept = append(kept, i)
			}
		}
		if len(kept) < len(best) && by == nil {
			by = step
		}
		s.kept[n], best = kept, kept
	}
	return best, by
}

// fullest prefers the class with the most tasks (spread).
type fullest struct {
	field string
	names []string // of classes
	tasks []int64  // of classes
	class []int    // of each member
}

func newFullest(s *stops, field string) *fullest {
	f := &fullest{field: field, class: make([]int, len(s.members))}
	name, attribute := strings.CutPrefix(field, model.FieldAttribute)
	number := map[string]int{}
	for i, n := range s.nodes {
		class := ""
		switch {
		case !attribute:
			class = s.members[i].Task.Instance
		case n != nil:
			class = n.value(name)
		}
		if _, ok := number[class]; !ok {
			number[class] = len(f.names)
			f.names, f.tasks = append(f.names, class), append(f.tasks, 0)
		}
		f.class[i] = number[class]
		f.tasks[f.class[i]]++
	}
	return f
}

func (f *fullest) weight(i int) int64 { return f.tasks[f.class[i]] }
func (f *fullest) stop(i int)         { f.tasks[f.class[i]]-- }
func (f *fullest) reason(i int) string {
	return fmt.Sprintf("%s %s has most tasks: %d", f.field, f.names[f.class[i]], f.weight(i))
}

// emptiest prefers the instance with the most left after the stop (binpack).
type emptiest struct {
	field string
	free  []int64 // of nodes
	node  []int   // of each member
	need  []int64 // of each member
}

func newEmptiest(s *stops, field string) *emptiest {
	e := &emptiest{field: field, node: make([]int, len(s.members)), need: make([]int64, len(s.members))}
	number := map[*node]int{}
	for i, n := range s.nodes {
		cpu, memory := int64(0), int64(0)
		if n != nil {
			cpu, memory = n.cpu, n.memory
		}
		e.need[i] = s.members[i].Task.Reserved.CPU
		if field == model.FieldMemory {
			cpu, e.need[i] = memory, s.members[i].Task.Reserved.Memory
		}
		if _, ok := number[n]; !ok {
			number[n] = len(e.free)
			e.free = append(e.free, cpu)
		}
		e.node[i] = number[n]
	}
	return e
}

func (e *emptiest) weight(i int) int64 { return e.free[e.node[i]] + e.need[i] }
func (e *emptiest) stop(i int)         { e.free[e.node[i]] += e.need[i] }
func (e *emptiest) reason(i int) string {
	return fmt.Sprintf("instance would have most %s left: %d", e.field, e.weight(i))
}
