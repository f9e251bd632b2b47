// Package reap decides which rows are over: stopped tasks, inactive instances and spent tokens after a while, and task
// definitions that are being deleted as soon as nothing runs them.
//
// It must not know the clock or when it is asked, and it touches nothing that is still alive.
package reap

import (
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Retention is how long rows stay after their end.
type Retention struct {
	// StoppedTasks stay describable so long: ECS keeps them an hour at least (SEMANTICS §2.5).
	StoppedTasks time.Duration
	// InactiveInstances likewise.
	InactiveInstances time.Duration
}

// DefaultRetention keeps what stopped for seven days, so that last week's failure can still be explained.
func DefaultRetention() Retention {
	return Retention{StoppedTasks: 7 * 24 * time.Hour, InactiveInstances: 7 * 24 * time.Hour}
}

// Reconcile deletes up to limit rows that are over at now, and returns how many it deleted: ask again if that is limit.
func Reconcile(tx *state.Tx, now time.Time, keep Retention, limit int) int {
	r := reaper{tx: tx, now: now.UnixMilli(), left: limit}
	r.tasks(keep.StoppedTasks)
	r.instances(keep.InactiveInstances)
	r.tokens()
	r.definitions()
	return limit - r.left
}

// Due reports whether Reconcile would delete anything: it is asked of a snapshot, where it holds nobody up.
func Due(t *state.Tables, now time.Time, keep Retention) bool {
	r := reaper{tx: &state.Tx{Tables: t}, now: now.UnixMilli(), left: 1, dry: true}
	r.tasks(keep.StoppedTasks)
	r.instances(keep.InactiveInstances)
	r.tokens()
	r.definitions()
	return r.left == 0
}

type reaper struct {
	tx   *state.Tx
	now  model.Millis
	left int
	dry  bool
}

// take counts one row, and reports whether there was room for it.
func (r *reaper) take(remove func()) bool {
	if r.left == 0 {
		return false
	}
	r.left--
	if !r.dry {
		remove()
	}
	return true
}

func (r *reaper) tasks(keep time.Duration) {
	var keys []string
	for t := range r.tx.Tasks.All() {
		if t.Last == model.TaskStopped && r.now-t.StoppedAt > keep.Milliseconds() {
			if !r.take(func() { keys = append(keys, t.Key()) }) {
				break
			}
		}
	}
	for _, k := range keys { // not while the table is walked
		r.tx.Tasks.Delete(k)
	}
}

func (r *reaper) instances(keep time.Duration) {
	var keys []string
	for i := range r.tx.Instances.All() {
		if i.Status == model.InstanceInactive && r.now-i.RegisteredAt > keep.Milliseconds() && r.tx.Usage(i.Key()).Tasks == 0 {
			if !r.take(func() { keys = append(keys, i.Key()) }) {
				break
			}
		}
	}
	for _, k := range keys {
		r.tx.Instances.Delete(k)
	}
}

func (r *reaper) tokens() {
	var keys []string
	for t := range r.tx.RunTokens.All() {
		if r.now > t.ExpiresAt {
			if !r.take(func() { keys = append(keys, t.Key()) }) {
				break
			}
		}
	}
	for _, k := range keys {
		r.tx.RunTokens.Delete(k)
	}
}

// definitions deletes those in DELETE_IN_PROGRESS that no task runs any more (SEMANTICS §2.4).
func (r *reaper) definitions() {
	var deleting []*model.TaskDefinition
	for d := range r.tx.Definitions.All() {
		if d.Status == model.DefinitionDeleting {
			deleting = append(deleting, d)
		}
	}
	if len(deleting) == 0 {
		return
	}
	type used struct {
		model.Scope
		name string
	}
	inUse := map[used]bool{}
	for t := range r.tx.Tasks.All() {
		if t.Last != model.TaskStopped {
			inUse[used{t.Scope, t.Definition}] = true
		}
	}
	for _, d := range deleting {
		if !inUse[used{d.Scope, d.Name()}] && !r.take(func() { r.tx.Definitions.Delete(d.Key()) }) {
			return
		}
	}
}
