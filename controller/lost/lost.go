// Package lost declares tasks lost whose container instance is gone: its agent has been silent for so long that somebody
// has to take their place (SEMANTICS §8.9).
//
// It must not know how agents are heard, which is the sessions' business, and it does not touch the instance: should the
// agent come back, its session tells it to stop what is not on its list any more.
package lost

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Patience is how long an agent may be silent (SEMANTICS §8.9).
const Patience = 5 * time.Minute

// Settle is how long a new leader listens before it believes in an old silence: while there was no leader nobody was
// heard, and an unmodified agent takes pauses of up to two minutes and a fifth between its attempts (AGENT-PROTOCOL §1.3).
const Settle = 150 * time.Second

// Loop is the controller of silent instances. Its key is that of an instance.
type Loop struct {
	Patience time.Duration // 0 means the constant of that name
	Limit    int           // tasks that go in one transaction; 0 means 500
}

// Touched appends the key of an instance whose agent has fallen silent.
func (l *Loop) Touched(dst []string, c *state.Change) []string {
	i, ok := c.New.(*model.Instance)
	if !ok || i.DisconnectedAt == 0 {
		return dst
	}
	if old, ok := c.Old.(*model.Instance); ok && old.DisconnectedAt == i.DisconnectedAt {
		return dst
	}
	return append(dst, c.Key)
}

// All yields the instances whose agents are silent.
func (l *Loop) All(t *state.Tables) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range t.Instances.All() {
			if i.DisconnectedAt != 0 && !yield(i.Key()) {
				return
			}
		}
	}
}

// Due is when the patience with the instance's agent ends, zero if it is not silent or has no task: none is placed on it
// before it is back.
func (l *Loop) Due(t *state.Tables, key string, _ time.Time) time.Time {
	i, ok := t.Instances.Get(key)
	if !ok || i.AgentConnected || i.DisconnectedAt == 0 || i.Status == model.InstanceInactive || t.Usage(key).Tasks == 0 {
		return time.Time{}
	}
	return time.UnixMilli(i.DisconnectedAt).Add(cmp.Or(l.Patience, Patience))
}

// Reconcile stops the tasks of an instance with which patience is at its end.
func (l *Loop) Reconcile(tx *state.Tx, key string, now time.Time) (wake time.Time, err error) {
	if due := l.Due(tx.Tables, key, now); due.IsZero() || due.After(now) {
		return due, nil
	}
	i, _ := tx.Instances.Get(key)
	limit := cmp.Or(l.Limit, 500)
	tasks := slices.Collect(tx.TasksOn(key)) // losing one takes it out of the index
	for _, t := range tasks[:min(len(tasks), limit)] {
		if gone, changed := t.Lose(i.Gone(), now.UnixMilli()); changed {
			tx.Tasks.Put(&gone)
		}
	}
	if len(tasks) > limit {
		wake = now
	}
	return wake, nil
}
