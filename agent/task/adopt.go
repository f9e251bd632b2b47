package task

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/roadstead/roadstead/acs"
)

// orphan is a container or a sandbox on the node that belongs to no assignment.
type orphan struct {
	taskID    string
	container string // id of the container; of a sandbox, its container's name
	sandbox   bool
}

// adopt makes a runner for every task in the journal from what the node has, and removes what belongs to none. What
// it could not remove at the first try is returned. While the runtime is away it waits.
func (e *Engine) adopt(ctx context.Context) ([]orphan, error) {
	var containers []ContainerState
	var sandboxes []Sandbox
	err := retry(ctx, e.config.Log, "list containers", func() (err error) {
		if containers, err = e.config.Runtime.List(ctx); err != nil {
			return err
		}
		sandboxes, err = e.config.Network.List(ctx)
		return err
	})
	if err != nil {
		return nil, nil // ctx has ended
	}
	mine := map[string][]ContainerState{}
	for _, c := range containers {
		mine[c.TaskID] = append(mine[c.TaskID], c)
	}
	nets := map[string][]Sandbox{}
	for _, s := range sandboxes {
		nets[s.TaskID] = append(nets[s.TaskID], s)
	}
	now := time.Now()
	var runners []*runner
	for id, rec := range e.mach.journal.records {
		if !rec.Gone.IsZero() {
			e.gone[id] = rec.Gone
			continue
		}
		var t acs.Task
		var saved State
		if err := json.Unmarshal(rec.Task, &t); err != nil {
			return nil, fmt.Errorf("load task %s: %w", id, err)
		}
		if len(rec.State) > 0 {
			if err := json.Unmarshal(rec.State, &saved); err != nil {
				return nil, fmt.Errorf("load task %s: %w", id, err)
			}
		}
		d := e.desired(&t, rec.Stop || t.DesiredStatus == StatusStopped)
		runners = append(runners, newRunner(e.mach, d, Recover(&t, saved, mine[id], nets[id], now)))
	}
	slices.SortFunc(runners, func(a, b *runner) int { return cmp.Compare(a.id, b.id) })
	e.register(runners)
	if slices.ContainsFunc(containers, unsure) {
		e.mach.lookSoon()
	}
	left := e.removeOnce(ctx, e.findOrphans(containers, sandboxes))
	e.removeVolumes(ctx)
	return left, nil
}

// removeVolumes removes those of tasks that are in no assignment. What cannot be removed now is tried by the next process.
func (e *Engine) removeVolumes(ctx context.Context) {
	if e.config.Volumes == nil {
		return
	}
	ids, err := e.config.Volumes.List(ctx)
	if err != nil {
		e.config.Log.Warn("list volumes", "error", err)
	}
	for _, id := range ids {
		if e.tasks[id] != nil {
			continue
		}
		if err := e.config.Volumes.Remove(ctx, id); err != nil {
			e.config.Log.Warn("remove volumes", "task", id, "error", err)
		}
	}
}

// findOrphans compares the node with the assignments just loaded.
func (e *Engine) findOrphans(containers []ContainerState, sandboxes []Sandbox) []orphan {
	var out []orphan
	for _, c := range containers {
		if _, known := e.containers[c.ID]; !known {
			out = append(out, orphan{taskID: c.TaskID, container: c.ID})
		}
	}
	for _, s := range sandboxes {
		r := e.tasks[s.TaskID]
		if r != nil && slices.ContainsFunc(r.state.Nets, func(n Net) bool { return n.Container == s.Container && !n.Gone }) {
			continue
		}
		out = append(out, orphan{taskID: s.TaskID, container: s.Container, sandbox: true})
	}
	return out
}

// removeOnce tries to remove the orphans, containers before sandboxes, and returns those that are left. Until they
// are gone, no task with their id is accepted.
func (e *Engine) removeOnce(ctx context.Context, orphans []orphan) []orphan {
	var left []orphan
	for _, o := range orphans {
		if err := e.remove(ctx, o); err != nil {
			e.config.Log.Warn("remove orphan", "task", o.taskID, "container", o.container, "error", err)
			left = append(left, o)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.orphans)
	for _, o := range left {
		// Of a task that is known only something beside its assignment is left, and that is in nobody's way.
		e.orphans[o.taskID] = e.tasks[o.taskID] == nil
	}
	return left
}

func (e *Engine) remove(ctx context.Context, o orphan) error {
	ctx, cancel := context.WithTimeout(ctx, tryLimit)
	defer cancel()
	if o.sandbox {
		return e.config.Network.Release(ctx, o.taskID, o.container)
	}
	return e.config.Runtime.Delete(ctx, o.container)
}

// sweep removes the orphans that are left.
func (e *Engine) sweep(ctx context.Context, left []orphan) {
	for pause := firstRetry; len(left) > 0 && sleep(ctx, pause); pause = min(2*pause, lastRetry) {
		left = e.removeOnce(ctx, left)
	}
}

// unsure says that the runtime could not tell how the container is: nobody will tell its end if that was before.
func unsure(c ContainerState) bool { return c.Unsure }

// watch passes exits on to the runners. After a gap in the events, and now and then anyway, it looks at the whole
// node; and soon again when it could not see all of it.
func (e *Engine) watch(ctx context.Context, events <-chan Event) {
	tick := time.NewTicker(resyncEvery)
	defer tick.Stop()
	again, pause := time.NewTimer(0), firstRetry
	defer again.Stop()
	<-again.C
	look := func() {
		if e.resync(ctx) {
			pause = firstRetry
			return
		}
		again.Reset(pause)
		pause = min(2*pause, lastRetry)
	}
	for {
		select {
		case ev, ok := <-events:
			switch {
			case ctx.Err() != nil:
				return
			case !ok: // not as agreed, but better than being deaf
				if !sleep(ctx, firstRetry) {
					return
				}
				events = e.config.Runtime.Events(ctx)
				look()
			case ev.Resync:
				look()
			default:
				e.exited(ev)
			}
		case <-tick.C:
			look()
		case <-again.C:
			look()
		case <-e.mach.look:
			look()
		case <-ctx.Done():
			return
		}
	}
}

func (e *Engine) exited(ev Event) {
	e.mu.Lock()
	o, ok := e.containers[ev.ID]
	e.mu.Unlock()
	if !ok {
		return
	}
	at := known(ev.FinishedAt, time.Now())
	o.runner.tell(e.done, func(r *runner) { r.state = r.state.Exit(o.name, ev.ExitCode, ev.OOMKilled, at) })
}

// resync merges a listing of the node into every task, and says whether that showed everything. A passing error of the runtime is
// waited out.
func (e *Engine) resync(ctx context.Context) bool {
	var containers []ContainerState
	var asked time.Time
	err := retry(ctx, e.config.Log, "list containers", func() (err error) {
		asked = time.Now()
		containers, err = e.config.Runtime.List(ctx)
		return err
	})
	if err != nil {
		return true // ctx has ended
	}
	mine := map[string][]ContainerState{}
	for _, c := range containers {
		mine[c.TaskID] = append(mine[c.TaskID], c)
	}
	for _, r := range e.runners() {
		r.tell(e.done, func(r *runner) { r.state = r.state.Resync(mine[r.id], asked, time.Now()) })
	}
	return !slices.ContainsFunc(containers, unsure)
}

// runners are those of all tasks, by id.
func (e *Engine) runners() []*runner {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]*runner, 0, len(e.tasks))
	for _, r := range e.tasks {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *runner) int { return cmp.Compare(a.id, b.id) })
	return out
}

// Reports are the newest reports that the control plane has not accepted yet, the longest waiting first.
func (e *Engine) Reports() []Report { return e.reports.reports() }

// List is every task that the node remembers, by id; those cleaned up are gone from it.
func (e *Engine) List() []View {
	runners := e.runners()
	out := make([]View, len(runners))
	for i, r := range runners {
		out[i] = *r.view.Load()
	}
	return out
}

// Ready says whether Run has taken up what an earlier engine left: before that no task is known.
func (e *Engine) Ready() bool {
	select {
	case <-e.ready:
		return true
	default:
		return false
	}
}

// Get is the task with the ARN or id.
func (e *Engine) Get(task string) (View, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.tasks[ID(task)]
	if r == nil {
		return View{}, false
	}
	return *r.view.Load(), true
}
