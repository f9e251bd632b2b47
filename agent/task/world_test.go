package task_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// epoch is when every world begins.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) //nolint:gochecknoglobals // a constant

// world is one task with the node's truth about it: Step decides, the test says how things go.
type world struct {
	d         task.Desired
	s         task.State
	now, wake time.Time
	doing     []task.Action
	boxes     map[string]*task.ContainerState
	sandboxes map[string]task.Sandbox
	starts    map[string]int
	begun     map[task.Action]bool // of doing: the effect is there, the answer is not
	log       func(format string, args ...any)
	before    func(task.Action) // sees every action that Step returns
}

func newWorld(t *acs.Task) *world {
	return &world{
		d: task.Desired{Task: t, StopTimeout: 30 * time.Second, CleanupAfter: 3 * time.Hour}, s: task.NewState(t),
		now: epoch, boxes: map[string]*task.ContainerState{}, sandboxes: map[string]task.Sandbox{},
		starts: map[string]int{}, begun: map[task.Action]bool{}, log: func(string, ...any) {}, before: func(task.Action) {},
	}
}

// step lets Step decide and logs what it wants and what has changed.
func (w *world) step() {
	old := w.s
	var actions []task.Action
	w.s, actions, w.wake = task.Step(w.d, w.s, w.now)
	for _, a := range actions {
		w.before(a)
		if a.Verb == task.VerbCancel {
			w.log("cancel %s %s", a.Cancels, a.Container)
			i := slices.IndexFunc(w.doing, func(d task.Action) bool { return same(d, a.Cancels, a.Container) })
			w.doing[i].Cancels = a.Cancels // marks it: it will end in context.Canceled
			continue
		}
		w.log("do %s %s", a.Verb, a.Container)
		w.doing = append(w.doing, a)
	}
	w.changes(old)
}

func same(a task.Action, v task.Verb, container string) bool {
	return a.Verb == v && a.Container == container
}

func (w *world) changes(old task.State) {
	for i, c := range w.s.Containers {
		was := task.PhaseNone
		if i < len(old.Containers) {
			was = old.Containers[i].Phase
		}
		if h := c.Vitals.Health; i < len(old.Containers) && h != old.Containers[i].Vitals.Health && h != "" {
			w.log("%s is %s", c.Name, h)
		}
		if c.Phase.Status() == was.Status() {
			continue
		}
		line := c.Name + " is " + c.Phase.Status()
		if c.ExitCode != nil {
			line += fmt.Sprintf(", exit %d", *c.ExitCode)
		}
		if c.Reason != "" {
			line += ": " + c.Reason
		}
		w.log("%s", line)
	}
	if now := w.s.Status(); now != old.Status() {
		if now == task.StatusStopped && w.s.Reason != "" {
			now += ": " + w.s.Reason
		}
		w.log("task is %s", now)
	}
	if w.s.Done && !old.Done {
		w.log("task is cleaned up")
	}
}

// finish ends the i-th action under way: its effect happens if effect is set, and err is what the node says of it.
func (w *world) finish(i int, effect bool, err error) {
	a := w.doing[i]
	w.doing = slices.Delete(w.doing, i, i+1)
	if a.Cancels != "" {
		err = context.Canceled
	}
	o := task.Outcome{Verb: a.Verb, Container: a.Container, Err: err}
	if effect && !w.begun[a] {
		w.effect(a, &o)
	}
	delete(w.begun, a)
	old := w.s
	w.s = w.s.Apply(o, w.now)
	w.changes(old)
	w.step()
}

// underWay tells whether such an action is.
func (w *world) underWay(v task.Verb, container string) bool {
	return slices.ContainsFunc(w.doing, func(a task.Action) bool { return same(a, v, container) })
}

// finishCheck ends the health check of the container that is under way.
func (w *world) finishCheck(container string, run task.CheckRun, err error) {
	i := slices.IndexFunc(w.doing, func(a task.Action) bool { return same(a, task.VerbCheck, container) })
	if i < 0 {
		panic("no check is under way")
	}
	if w.doing[i].Cancels != "" {
		err = context.Canceled
	}
	w.doing = slices.Delete(w.doing, i, i+1)
	w.s = w.s.Apply(task.Outcome{Verb: task.VerbCheck, Container: container, Run: run, Err: err}, w.now)
	w.step()
}

// begin lets the effect of an action happen before its answer.
func (w *world) begin(i int) {
	a := w.doing[i]
	w.effect(a, &task.Outcome{})
	w.begun[a] = true
}

// effect is what the node makes of an action.
func (w *world) effect(a task.Action, o *task.Outcome) {
	b := w.boxes[a.Container]
	switch a.Verb {
	case task.VerbPull:
		o.Digest = "sha256:" + a.Container
	case task.VerbSetup:
		o.Sandbox = task.Sandbox{Container: a.Container, Mode: w.d.Task.NetworkMode, IPv4: "10.0.0.2/16"}
		w.sandboxes[a.Container] = o.Sandbox
	case task.VerbRelease:
		delete(w.sandboxes, a.Container)
	case task.VerbCreate:
		if b == nil {
			w.boxes[a.Container] = &task.ContainerState{Name: a.Container, Status: task.StatusCreated}
		}
	case task.VerbStart:
		switch {
		case b == nil || b.Status == task.StatusStopped:
			o.Err = &task.Failure{Name: "CannotStartContainerError", Err: errors.New("nothing to start")}
		case b.Status == task.StatusCreated:
			w.starts[a.Container]++
			b.Status, b.PID, b.StartedAt = task.StatusRunning, 7, w.now
		}
		o.PID = 7
	case task.VerbRestart:
		if b.Status == task.StatusStopped {
			w.starts[a.Container]++
			b.Status, b.PID, b.StartedAt = task.StatusRunning, 8, w.now
		}
		o.PID = 8
	case task.VerbKill:
		w.exit(a.Container, 137, false)
	case task.VerbDelete:
		w.exit(a.Container, 137, false)
		delete(w.boxes, a.Container)
	}
}

// exit ends a running container's process; the event reaches the task at once.
func (w *world) exit(name string, code int32, oom bool) {
	b := w.boxes[name]
	if b == nil || b.Status != task.StatusRunning {
		return
	}
	b.Status, b.ExitCode, b.OOMKilled, b.FinishedAt, b.PID = task.StatusStopped, code, oom, w.now, 0
	old := w.s
	w.s = w.s.Exit(name, code, oom, w.now)
	w.changes(old)
}

// advance lets time pass, waking Step when it asked for it.
func (w *world) advance(d time.Duration) {
	end := w.now.Add(d)
	for !w.wake.IsZero() && !w.wake.After(end) {
		w.now = w.wake
		w.step()
	}
	w.now = end
	w.step()
}

// restart is a crash of the agent: what is under way is forgotten, and the state is rebuilt from saved and the node.
func (w *world) restart(saved task.State) {
	w.doing = nil
	var boxes []task.ContainerState
	for _, b := range w.boxes {
		boxes = append(boxes, *b)
	}
	var sandboxes []task.Sandbox
	for _, s := range w.sandboxes {
		sandboxes = append(sandboxes, s)
	}
	old := w.s
	w.s = task.Recover(w.d.Task, saved, boxes, sandboxes, w.now)
	w.changes(old)
	w.step()
}
