package session

import (
	"context"
	"errors"
	"sync"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// notes write down what agents say of their tasks. While one transaction is under way, what all of them say gathers for the next: when
// much is said, hundreds of agents share one, and what one says of a task, acknowledging it and then reporting it RUNNING, is one row
// (docs/decisions/047).
type notes struct {
	db   *state.DB
	wake chan struct{} // has an entry when something waits

	mu      sync.Mutex
	waiting []note // guarded by mu
}

// note is one message of an agent.
type note struct {
	account string
	at      model.Millis
	acked   map[string]string     // wishes that it acknowledges, RUNNING or STOPPED, by task key
	reports *acs.RoadsteadReports // nil: none
	// done is called when the note is durable, with the ARNs of reported tasks that do not exist, or why it will never be. It must
	// not wait. It is not called any more when the Sessions end.
	done func(unknown []string, err error)
}

// maxNoted bounds the tasks of one transaction, which runs alone; one message may have more.
const maxNoted = 500

func newNotes(db *state.DB) *notes { return &notes{db: db, wake: make(chan struct{}, 1)} }

// add has a note written down. The caller gives its map away.
func (n *notes) add(x note) {
	n.mu.Lock()
	n.waiting = append(n.waiting, x)
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// take removes the notes that go together next, the oldest first.
func (n *notes) take() []note {
	n.mu.Lock()
	defer n.mu.Unlock()
	count, tasks := 0, 0
	for count < len(n.waiting) && (count == 0 || tasks+n.waiting[count].tasks() <= maxNoted) {
		tasks += n.waiting[count].tasks()
		count++
	}
	taken := n.waiting[:count:count]
	n.waiting = n.waiting[count:]
	return taken
}

// tasks is how many tasks the note is about, or a little more.
func (x *note) tasks() int {
	if x.reports == nil {
		return len(x.acked)
	}
	return len(x.acked) + len(x.reports.Reports)
}

// run writes notes down until ctx ends.
func (n *notes) run(ctx context.Context) {
	for {
		select {
		case <-n.wake:
		case <-ctx.Done():
			return
		}
		for batch := n.take(); len(batch) > 0 && ctx.Err() == nil; batch = n.take() {
			n.write(ctx, batch)
		}
	}
}

// write writes notes down together and says so. Of notes that cannot be written together each half is tried: what is wrong with one is
// not the others' concern.
func (n *notes) write(ctx context.Context, batch []note) {
	var unknown [][]string
	err := n.db.Update(ctx, func(tx *state.Tx) error {
		seen := sight{t: tx.Tables, tasks: map[string]*model.Task{}}
		unknown = make([][]string, len(batch))
		for i := range batch {
			unknown[i] = seen.note(&batch[i])
		}
		for _, key := range seen.changed {
			tx.Tasks.Put(seen.tasks[key])
		}
		return nil
	})
	switch {
	case ctx.Err() != nil:
		return
	case err != nil && len(batch) > 1 && !errors.Is(err, state.ErrNotLeader) && !errors.Is(err, state.ErrNoSpace):
		n.write(ctx, batch[:len(batch)/2])
		n.write(ctx, batch[len(batch)/2:])
		return
	}
	for i := range batch {
		if err != nil {
			batch[i].done(nil, err)
		} else {
			batch[i].done(unknown[i], nil)
		}
	}
}

// sight is what notes make of the tasks that they are about.
type sight struct {
	t       *state.Tables
	tasks   map[string]*model.Task // as they are now, by key
	changed []string               // keys of tasks, each once
}

// note looks at one more, and returns the ARNs of reported tasks that do not exist. Repeated, late and backward reports change nothing
// (model.Task.Observe).
func (s *sight) note(x *note) (unknown []string) {
	for key, wish := range x.acked {
		if t, ok := s.task(key); ok && t.Desired == wish {
			s.now(key)(t.Delivered())
		}
	}
	if x.reports == nil {
		return nil
	}
	for i := range x.reports.Reports {
		r := &x.reports.Reports[i]
		key, ok := taskKey(x.account, r.Task)
		if t, exists := s.task(key); ok && exists {
			s.now(key)(t.Observe(read(r), x.at))
		} else {
			unknown = append(unknown, r.Task)
		}
	}
	return unknown
}

// task is the task with the key.
func (s *sight) task(key string) (*model.Task, bool) {
	if t, ok := s.tasks[key]; ok {
		return t, true
	}
	return s.t.Tasks.Get(key)
}

// now takes what has become of the task with the key, if it has changed.
func (s *sight) now(key string) func(next model.Task, changed bool) {
	return func(next model.Task, changed bool) {
		if !changed {
			return
		}
		if _, again := s.tasks[key]; !again {
			s.changed = append(s.changed, key)
		}
		s.tasks[key] = &next
	}
}
