// Package place finds room for the tasks that wait for capacity: those that a capacity provider with managed scaling has
// accepted (SEMANTICS §6.7). The oldest comes first; what has waited too long is given up.
//
// It must not know the clock or when it is asked, nor how rooms are made, and it touches no task that has an instance.
package place

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"iter"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Loop is the controller of waiting tasks. Its key is that of a cluster: whatever may end a wait there touches it.
type Loop struct {
	// Patience is how long a task waits; 0 means 30 minutes, what AWS gives at most.
	Patience time.Duration
	// Subnet returns the availability zone of a subnet; ok is false if there is no such subnet. Nil: any subnet exists and
	// is everywhere.
	Subnet func(s model.Scope, id string) (zone string, ok bool)
}

// patience is how long a task waits if nobody says otherwise.
const patience = 30 * time.Minute

// Touched appends the keys of the clusters in which a changed row may make room for a task, or is one that needs it.
func (l *Loop) Touched(dst []string, c *state.Change) []string {
	switch row := c.New.(type) {
	case *model.Instance:
		if row.Status == model.InstanceActive && row.AgentConnected {
			dst = append(dst, model.ClusterKey(row.Scope, row.Cluster))
		}
		return dst
	case *model.Cluster:
		return append(dst, row.Key())
	}
	old, _ := c.Old.(*model.Task)
	now, _ := c.New.(*model.Task)
	if holds(old) != holds(now) { // comes or goes: tasks may want company, too
		if now == nil {
			now = old
		}
		return append(dst, model.ClusterKey(now.Scope, cmp.Or(now.InstanceCluster, now.Cluster)))
	}
	if now != nil && old == nil && now.Waiting() {
		dst = append(dst, model.ClusterKey(now.Scope, now.Cluster))
	}
	return dst
}

// holds reports whether the task, if there is one, takes room of an instance.
func holds(t *model.Task) bool { return t != nil && t.Instance != "" && t.Last != model.TaskStopped }

// All yields the keys of the clusters in which tasks wait.
func (l *Loop) All(t *state.Tables) iter.Seq[string] {
	return func(yield func(string) bool) {
		for c := range t.Clusters.All() {
			if t.ClusterCount(c.Key()).Waiting > 0 && !yield(c.Key()) {
				return
			}
		}
	}
}

// Due is now if a task waits in the cluster: whether there is room, only the head knows.
func (l *Loop) Due(t *state.Tables, key string, now time.Time) time.Time {
	if t.ClusterCount(key).Waiting == 0 {
		return time.Time{}
	}
	return now
}

// Reconcile places the waiting tasks of a cluster, oldest first, as far as there is room, and gives up those that have
// waited too long or have lost their provider. It has to be asked again at wake, when the next one's patience ends.
func (l *Loop) Reconcile(tx *state.Tx, key string, now time.Time) (wake time.Time, err error) {
	r := round{Loop: l, tx: tx, now: now, full: map[string]string{}}
	var waiting []*model.Task
	for t := range tx.Waiting(key) {
		waiting = append(waiting, t)
	}
	for len(waiting) > 0 {
		n, needs, err := alike(waiting)
		if err != nil {
			return time.Time{}, err
		}
		if err := r.place(waiting[:n], needs); err != nil {
			return time.Time{}, err
		}
		waiting = waiting[n:]
	}
	return r.wake, nil
}

// round is one look at a cluster.
type round struct {
	*Loop
	tx   *state.Tx
	now  time.Time
	wake time.Time
	full map[string]string // why tasks with these needs have no place
}

// alike returns how many tasks at the beginning have the same needs, and the needs as text.
func alike(tasks []*model.Task) (n int, needs string, err error) {
	for n = range tasks {
		t := tasks[n]
		b, err := json.Marshal(struct {
			Definition, Provider, Group string
			Reserved                    model.Resources
			Subnets                     []string
			Constraints                 []model.PlacementConstraint
			Strategy                    []model.PlacementStrategy
			Overrides                   any
		}{t.Definition, t.CapacityProvider, t.Group, t.Reserved, t.Subnets, t.Constraints, t.Strategy, t.Overrides})
		switch {
		case err != nil:
			return 0, "", fmt.Errorf("compare the needs of task %s: %w", t.ID, err)
		case n == 0:
			needs = string(b)
		case needs != string(b):
			return n, needs, nil
		}
	}
	return len(tasks), needs, nil
}

// seed decides ties for tasks that begin with this one: random, because ids are, but the same whenever it is asked.
func seed(t *model.Task) uint64 {
	h := fnv.New64a()
	h.Write([]byte(t.ID))
	return h.Sum64()
}
