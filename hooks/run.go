package hooks

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Times and bounds of the work.
const (
	maxBusy    = 256             // hooks that are worked on at once; most of it is waiting for answers
	retryPause = 5 * time.Second // after a commit that failed
)

// Run performs hooks in every term of this member until ctx ends, and returns ctx's error. A new leader calls those again that
// the one before it had not written an answer of, with the same executionId: a target is called at least once.
func (h *Hooks) Run(ctx context.Context) error {
	return h.cfg.DB.WhileLeading(ctx, func(ctx context.Context) {
		r := round{h: h, waiting: map[place]model.Millis{}, busy: map[place]context.CancelFunc{}, done: make(chan outcome, maxBusy)}
		r.run(ctx)
	})
}

// round is one term. Its fields belong to the goroutine of run.
type round struct {
	h       *Hooks
	waiting map[place]model.Millis // for when they are due
	busy    map[place]context.CancelFunc
	tasks   []string // keys of tasks that may be hooks which are over
	running sync.WaitGroup
	done    chan outcome // has room for all that are busy
}

// outcome is what became of one look at a hook.
type outcome struct {
	at  place
	err error
}

func (r *round) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer r.running.Wait()
	defer cancel()
	snap, cursor := r.h.cfg.DB.Watch()
	revisions := make(chan *state.Revision)
	r.running.Go(func() { cursor.Follow(ctx, revisions) })
	r.survey(snap.Tables)
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for ctx.Err() == nil { // a call that was cut off must not be begun again
		if r.dismiss(ctx) != nil {
			return
		}
		r.dispatch(ctx)
		r.arm(alarm)
		select {
		case rev := <-revisions:
			r.observe(rev)
		case o := <-r.done:
			if lost(o.err) {
				return
			}
			r.settle(ctx, o)
		case <-alarm.C:
		case <-ctx.Done():
			return
		}
	}
}

// survey looks at everything there is.
func (r *round) survey(t *state.Tables) {
	for d := range t.Deployments.All() {
		r.look(t, d.Key())
	}
	for task := range t.Tasks.All() {
		if _, ok := deploymentOf(task); ok && task.Desired != model.TaskStopped {
			r.tasks = append(r.tasks, task.Key())
		}
	}
}

// observe looks at what has changed, and at how it is now: a revision from before a hook was answered would have it called again.
func (r *round) observe(rev *state.Revision) {
	now := r.h.cfg.DB.Snapshot().Tables
	if rev.Reset {
		r.survey(now)
		return
	}
	for i := range rev.Changes {
		c := &rev.Changes[i]
		row, _ := c.New.(*model.Deployment)
		if old, ok := c.Old.(*model.Deployment); ok && old.Stage != nil {
			for _, hook := range old.Stage.Hooks {
				if hook.Task != "" && !wants(row, hook.Task) {
					r.tasks = append(r.tasks, model.TaskKey(old.Scope, old.Cluster, hook.Task))
				}
			}
		}
		if row != nil {
			r.look(now, row.Key())
		}
		if task, ok := c.New.(*model.Task); ok && task.Last == model.TaskStopped {
			if key, ok := deploymentOf(task); ok {
				r.look(now, key)
			}
		}
	}
}

// look notes when the hooks of a deployment are due, and lets go of those that have ended.
func (r *round) look(t *state.Tables, key string) {
	for at, cancel := range r.busy {
		if at.deployment == key {
			if _, _, ok := find(t, at); !ok {
				cancel()
			}
		}
	}
	d, ok := t.Deployments.Get(key)
	if !ok || d.Stage == nil {
		return
	}
	for i := range d.Stage.Hooks {
		h := &d.Stage.Hooks[i]
		at := place{key, h.ID}
		if _, busy := r.busy[at]; busy || h.Status != model.HookInProgress {
			continue
		}
		if h.Task == "" {
			r.waiting[at] = h.CallAt
		} else if task, ok := t.Tasks.Get(model.TaskKey(d.Scope, d.Cluster, h.Task)); !ok || task.Last == model.TaskStopped {
			r.waiting[at] = 0
		}
	}
}

// dispatch works on the hooks that are due, those first that have been so for longest.
func (r *round) dispatch(ctx context.Context) {
	now := r.h.now()
	var due []place
	for at, when := range r.waiting {
		if when <= now {
			due = append(due, at)
		}
	}
	slices.SortFunc(due, func(a, b place) int {
		if r.waiting[a] != r.waiting[b] {
			return int(r.waiting[a] - r.waiting[b])
		}
		return strings.Compare(a.deployment+a.hook, b.deployment+b.hook)
	})
	for _, at := range due[:min(len(due), maxBusy-len(r.busy))] {
		ctx, cancel := context.WithCancel(ctx)
		delete(r.waiting, at)
		r.busy[at] = cancel
		r.running.Go(func() { r.done <- outcome{at, r.h.perform(ctx, at)} })
	}
}

// arm sets the alarm to when the next hook is due. Without room for it there is nothing to wake up for.
func (r *round) arm(alarm *time.Timer) {
	alarm.Stop()
	if len(r.waiting) == 0 || len(r.busy) == maxBusy {
		return
	}
	next := model.Millis(0)
	for _, when := range r.waiting {
		if next == 0 || when < next {
			next = when
		}
	}
	alarm.Reset(time.Duration(max(next-r.h.now(), 0)) * time.Millisecond)
}

// settle looks again at a hook that was worked on: it may have changed meanwhile.
func (r *round) settle(ctx context.Context, o outcome) {
	r.busy[o.at]()
	delete(r.busy, o.at)
	r.look(r.h.cfg.DB.Snapshot().Tables, o.at.deployment)
	if _, ok := r.waiting[o.at]; ok && o.err != nil && ctx.Err() == nil {
		r.h.cfg.Log.Warn("perform hook", "deployment", o.at.deployment, "hook", o.at.hook, "err", o.err)
		r.waiting[o.at] = r.h.now() + retryPause.Milliseconds()
	}
}

// dismiss stops the tasks of hooks that are over.
func (r *round) dismiss(ctx context.Context) error {
	if len(r.tasks) == 0 {
		return nil
	}
	tasks := r.tasks
	err := r.h.cfg.DB.Update(ctx, func(tx *state.Tx) error {
		for _, key := range tasks {
			r.h.dismiss(tx, key)
		}
		return nil
	})
	if err != nil && ctx.Err() == nil && !lost(err) {
		r.h.cfg.Log.Warn("stop tasks of hooks", "err", err) // they are looked at again when the next one is
		return nil
	}
	r.tasks = nil
	return err
}
