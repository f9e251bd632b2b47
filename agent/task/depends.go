package task

import (
	"fmt"
	"slices"
	"time"

	"github.com/roadstead/roadstead/acs"
)

// Conditions of dependsOn (SEMANTICS §11.4).
const (
	onStart    = "START"
	onComplete = "COMPLETE"
	onSuccess  = "SUCCESS"
	onHealthy  = "HEALTHY"
	onCreate   = "CREATE" // of volumesFrom, which is said to nobody
)

// edge says that a container waits for another one.
type edge struct {
	on        int // index of the dependency
	condition string
	link      bool // the container also wants to know the other's address
}

// graph is a task's dependencies, and its health checks, by container index. It is built once per task and never written
// again.
type graph struct {
	checks []*HealthCheck // nil without one
	needs  [][]edge
	wanted [][]int // the other way round: who waits for i
	broken string  // why the task can never run, "" if it can
}

// newGraph reads dependsOn and links; a link implies START (AGENT-PROTOCOL §4.4), and so does a log router.
func newGraph(t *acs.Task) *graph {
	n := len(t.Containers)
	g := &graph{checks: make([]*HealthCheck, n), needs: make([][]edge, n), wanted: make([][]int, n)}
	for i := range t.Containers {
		g.checks[i] = healthCheck(&t.Containers[i])
	}
	index := make(map[string]int, n)
	for i := range t.Containers {
		name := t.Containers[i].Name
		if _, double := index[name]; double || name == "" {
			g.broken = fmt.Sprintf("TaskDependencyError: container name %q is not unique", name)
			return g
		}
		index[name] = i
	}
	add := func(i int, name, condition string, link bool) {
		on, known := index[name]
		switch {
		case !known:
			g.broken = fmt.Sprintf("TaskDependencyError: container %s depends on unknown container %s",
				t.Containers[i].Name, name)
		default:
			g.needs[i] = append(g.needs[i], edge{on: on, condition: condition, link: link})
			g.wanted[on] = append(g.wanted[on], i)
		}
	}
	router := Router(t)
	for i := range t.Containers {
		c := &t.Containers[i]
		if router != nil && waitsForRouter(c, router) {
			add(i, router.Name, onStart, true)
		}
		for _, d := range c.DependsOn {
			add(i, d.ContainerName, d.Condition, false)
		}
		for _, l := range c.Links {
			name, _ := splitLink(l)
			add(i, name, onStart, true)
		}
		for _, v := range c.VolumesFrom {
			add(i, v.SourceContainer, onCreate, false)
		}
	}
	if n == 0 {
		g.broken = "TaskDependencyError: the task has no containers"
	}
	if g.broken == "" && g.cyclic() {
		g.broken = "TaskDependencyError: the containers' dependencies form a cycle"
	}
	return g
}

// cyclic peels off containers that wait for nothing that is left; what cannot be peeled off is a cycle.
func (g *graph) cyclic() bool {
	left := make([]int, len(g.needs))
	var free []int
	for i := range g.needs {
		left[i] = len(g.needs[i])
		if left[i] == 0 {
			free = append(free, i)
		}
	}
	seen := 0
	for len(free) > 0 {
		i := free[0]
		free = free[1:]
		seen++
		for _, w := range g.wanted[i] {
			if left[w]--; left[w] == 0 {
				free = append(free, w)
			}
		}
	}
	return seen < len(g.needs)
}

// verdict is what a dependency says about the container that waits for it.
type verdict struct {
	ok    bool      // the condition holds
	never string    // it never will: the reason
	wake  time.Time // look again then, zero = when something happens
}

// judge looks at one edge. The start time-out is the dependency's own, counted from its start, and bounds only
// waiting for something later than its start.
func (e edge) judge(t *acs.Task, s *State, now time.Time) verdict {
	spec, c := &t.Containers[e.on], &s.Containers[e.on]
	if c.Phase == PhaseStopped && !c.Ran {
		return verdict{never: fmt.Sprintf("TaskDependencyError: dependency %s never started", c.Name)}
	}
	switch e.condition {
	case onCreate:
		return verdict{ok: c.Phase >= PhaseCreated}
	case onComplete:
		if c.Phase == PhaseStopped {
			return verdict{ok: true}
		}
	case onSuccess:
		if c.Phase == PhaseStopped {
			if c.ExitCode != nil && *c.ExitCode == 0 {
				return verdict{ok: true}
			}
			return verdict{never: fmt.Sprintf("TaskDependencyError: dependency %s did not exit successfully", c.Name)}
		}
	case onHealthy:
		switch {
		case healthCheck(spec) == nil:
			return verdict{never: fmt.Sprintf("TaskDependencyError: dependency %s has no health check", c.Name)}
		case c.Phase == PhaseStopped:
			return verdict{never: fmt.Sprintf("TaskDependencyError: dependency %s stopped before it was healthy", c.Name)}
		case c.Phase == PhaseRunning && c.Vitals.Health == HealthHealthy:
			return verdict{ok: true}
		}
	default: // START, and what a later version may add: at least wait for the start
		return verdict{ok: c.Phase >= PhaseRunning}
	}
	if spec.StartTimeout <= 0 || c.Phase != PhaseRunning {
		return verdict{}
	}
	end := c.StartedAt.Add(time.Duration(spec.StartTimeout) * time.Second)
	if now.Before(end) {
		return verdict{wake: end}
	}
	return verdict{never: fmt.Sprintf("TaskDependencyError: dependency %s did not reach %s within its start timeout of %d s",
		c.Name, e.condition, spec.StartTimeout)}
}

// gates tells whether the edge must hold before the container is created and not only before it is started: what a
// dependency leaves behind (a binary on a shared volume) must be there when the runtime prepares the process.
func (e edge) gates() bool {
	return slices.Contains([]string{onCreate, onComplete, onSuccess, onHealthy}, e.condition)
}
