package simulate

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/roadstead/roadstead/model"
)

// job is one copy that an event asked for, with or without a row.
type job struct {
	name   string // "web#17"
	number int    // in its kind
	kind   *Kind
	life   life

	key     string // of the row, "" while it has none
	asked   time.Duration
	placed  time.Duration // -1: not yet
	running time.Duration // -1: not yet
	node    *node         // where it was placed
}

// life is what becomes of a task on its node.
type life struct {
	start  time.Duration
	broken bool          // it cannot start
	run    time.Duration // until its container exits by itself
	code   int32         // with which it does
	stop   time.Duration
}

// newLife draws a life.
func (k *Kind) newLife(r *rand.Rand) life {
	l := life{start: k.Start.draw(r), run: k.Run.draw(r), stop: k.Stop.draw(r), broken: r.Float64() < k.Broken}
	if r.Float64() < k.Fails {
		l.code = 1
	}
	return l
}

// newJobs makes what an order asks for.
func (w *world) newJobs(o *occasion, k *Kind, n int) []*job {
	out := make([]*job, n)
	for i := range out {
		w.made[k]++
		out[i] = &job{name: fmt.Sprintf("%s#%d", k.Name, w.made[k]), number: w.made[k], kind: k, life: k.newLife(o.draw(i)), asked: w.now, placed: -1, running: -1}
	}
	w.sums.asked += n
	return out
}

// taskRank orders the statuses as a task passes them (SEMANTICS §11.1).
func taskRank(status string) int {
	switch status {
	case model.TaskProvisioning:
		return 0
	case model.TaskPending:
		return 1
	case model.TaskActivating:
		return 2
	case model.TaskRunning:
		return 3
	case model.TaskDeactivating:
		return 4
	case model.TaskStopping:
		return 5
	case model.TaskDeprovisioning:
		return 6
	}
	return 7
}

// taskChanged is told of every change of a task's row.
func (w *world) taskChanged(key string, old, new *model.Task) {
	w.hold(old, -1)
	w.hold(new, +1)
	if new == nil {
		if old.Last != model.TaskStopped {
			w.violate("the row of task %s went away while it was %s", old.ID, old.Last)
		}
		return
	}
	if old != nil && old.Last == model.TaskStopped && new.Last == model.TaskStopped && new.Counted && !old.Counted {
		return // its service has taken note of it
	}
	j := w.jobs[key]
	if j == nil && old == nil && new.Service() != "" {
		j = w.started(key, new)
	}
	if j == nil {
		w.violate("task %s is %s, and nobody asked for it or it was over", new.ID, new.Last)
		return
	}
	if old != nil {
		if taskRank(new.Last) < taskRank(old.Last) || old.Desired == model.TaskStopped && new.Desired != model.TaskStopped || new.Version <= old.Version {
			w.violate("%s went from %s wanted %s version %d to %s wanted %s version %d", j.name, old.Last, old.Desired, old.Version,
				new.Last, new.Desired, new.Version)
		}
		if old.Instance != "" && old.Instance != new.Instance {
			w.violate("%s moved from instance %s to %s", j.name, old.Instance, new.Instance)
		}
	}
	w.note(j, old, new)
	if n := j.node; n != nil && n.ignorant(key, new) {
		n.touch(key)
	}
	if new.Last == model.TaskStopped {
		delete(w.jobs, key)
	}
}

// note writes down how far the job has come.
func (w *world) note(j *job, old, new *model.Task) {
	if j.placed < 0 && new.Instance != "" {
		j.placed, j.node = w.now, w.node[new.InstanceKey()]
		if j.node == nil {
			return // hold has said so
		}
		w.sums.placed++
		w.sums.homeless.add(w.now, -1)
		w.sums.places = append(w.sums.places, w.now-j.asked)
		w.log("%s is placed on %s", j.name, j.node.name)
	}
	if old == nil && new.Instance == "" {
		w.log("%s waits for capacity of %s", j.name, new.CapacityProvider)
	}
	if j.running < 0 && j.node != nil && new.Last == model.TaskRunning {
		j.running = w.now
		w.sums.running.add(w.now, 1)
		w.sums.starts = append(w.sums.starts, w.now-j.asked)
		w.log("%s is RUNNING on %s", j.name, j.node.name)
	}
	if new.Last == model.TaskStopped {
		w.end(j, new)
		return
	}
	if new.Desired == model.TaskStopped && (old == nil || old.Desired != model.TaskStopped) {
		w.log("%s is to stop: %s (%s)", j.name, new.StopReason, new.StopCode)
	}
}

// end counts how the job ended.
func (w *world) end(j *job, t *model.Task) {
	how, count := "", (*int)(nil)
	c := &t.Containers[0]
	switch {
	case t.Instance == "" && wished(t):
		how, count = "was stopped while it waited", &w.sums.stopped
	case t.Instance == "":
		how, count = "waited in vain", &w.sums.givenUp
		w.tally(j.kind.Name, "waited in vain: "+t.StopReason)
	case wished(t):
		how, count = "was stopped", &w.sums.stopped
	case c.Exited && c.ExitCode == 0:
		how, count = "finished", &w.sums.finished
	case c.Exited:
		how, count = fmt.Sprintf("failed with exit code %d", c.ExitCode), &w.sums.failed
	case j.life.broken && j.running < 0 && t.StopReason == brokenReason:
		how, count = "could not start", &w.sums.broken
	default:
		how, count = "was lost", &w.sums.lost
		w.tally(j.node.name, "lost: "+cause(t))
	}
	*count++
	if j.running >= 0 {
		w.sums.running.add(w.now, -1)
	}
	if j.placed < 0 {
		w.sums.homeless.add(w.now, -1)
	}
	where := ""
	if j.node != nil {
		where = " on " + j.node.name
	}
	w.log("%s %s%s: %s (%s)", j.name, how, where, t.StopReason, t.StopCode)
}

// wished reports whether the task was stopped because somebody wanted it.
func wished(t *model.Task) bool {
	return t.StopCode == model.StopUserInitiated || t.StopCode == model.StopServiceSchedulerInitiated
}

// tally is how many tasks met the same fate at the same time: one line of the story.
type tally struct {
	who, fate string
	count     int
}

// tally counts a task, to be told with the others.
func (w *world) tally(who, fate string) {
	for i := range w.tallies {
		if t := &w.tallies[i]; t.who == who && t.fate == fate {
			t.count++
			return
		}
	}
	w.tallies = append(w.tallies, tally{who, fate, 1})
}

// tellTallies tells what was counted at this time.
func (w *world) tellTallies() {
	for _, t := range w.tallies {
		w.tell("%s %s", amount(t.count, "task of "+t.who, "tasks of "+t.who), t.fate)
	}
	w.tallies = w.tallies[:0]
}

// cause is why a task was lost: what its node says, or the control plane in its place.
func cause(t *model.Task) string {
	if r := t.Containers[0].Reason; r != "" {
		return r
	}
	return t.StopReason + " (" + t.StopCode + ")"
}
