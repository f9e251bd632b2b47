package simulate

import (
	"maps"
	"slices"

	"github.com/roadstead/roadstead/model"
)

// remains are the tasks that are not over when time is up, by how far they are.
type remains struct{ asked, waiting, starting, running, stopping int }

func (r *remains) sum() int { return r.asked + r.waiting + r.starting + r.running + r.stopping }

// audit holds what the rows say at the end against what was asked, what the changes added up to and what the nodes know.
func (w *world) audit() (left remains) {
	t := w.db.Snapshot().Tables
	for row := range t.Tasks.All() {
		if row.Last == model.TaskStopped {
			continue
		}
		if w.jobs[row.Key()] == nil {
			w.violate("task %s is %s, and nobody asked for it", row.ID, row.Last)
		}
		switch {
		case row.Desired == model.TaskStopped:
			left.stopping++
		case row.Waiting():
			left.waiting++
		case row.Last == model.TaskRunning:
			left.running++
		default:
			left.starting++
		}
	}
	left.asked = int(w.sums.homeless.value) - left.waiting
	for _, key := range slices.Sorted(maps.Keys(w.jobs)) {
		if row, ok := t.Tasks.Get(key); !ok || row.Last == model.TaskStopped {
			w.violate("%s has no row any more, and its end was never seen", w.jobs[key].name)
		}
	}
	s := &w.sums
	over := s.finished + s.failed + s.broken + s.stopped + s.lost + s.givenUp + s.refused
	if s.asked != over+left.sum() {
		w.violate("%d tasks were asked for, %d are over and %d are left", s.asked, over, left.sum())
	}
	for _, n := range w.nodes {
		w.auditNode(n)
	}
	return left
}

func (w *world) auditNode(n *node) {
	t := w.db.Snapshot().Tables
	u, l := t.Usage(n.key), &n.ledger
	if u.CPU != l.cpu || u.Memory != l.memory || int64(u.ENIs) != l.enis {
		w.violate("%s has given away %d units and %d MiB by its rows, %d and %d by their changes", n.name, u.CPU, u.Memory, l.cpu, l.memory)
	}
	if !n.connected || len(n.owed) > 0 {
		return
	}
	for row := range t.TasksOn(n.key) {
		x, j := n.tasks[row.Key()], w.jobs[row.Key()]
		runs := x != nil && (x.phase == running || x.phase == stopping)
		if j != nil && !n.noted[row.Key()] && (x == nil || runs != (row.StartedAt != 0)) {
			w.violate("%s does not know what the row of %s says: %s", n.name, j.name, row.Last)
		}
	}
	for key, x := range n.tasks {
		if row, ok := t.Tasks.Get(key); !x.unasked && !n.noted[key] && (!ok || row.Last == model.TaskStopped) {
			w.violate("%s runs %s, which is over", n.name, x.job)
		}
	}
}
