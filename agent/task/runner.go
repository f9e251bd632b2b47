package task

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roadstead/roadstead/acs"
)

// runner owns one task on the node: only its goroutine (run) touches the state. It lets Step decide, performs the
// actions in goroutines of their own, and takes their outcomes, exits and wishes from its mailbox.
type runner struct {
	// immutable
	id    string
	mach  *machine
	mail  chan note
	ended chan struct{} // closed when run returns

	view atomic.Pointer[View] // for readers; what it points to is never written

	// owned by run
	desired Desired
	state   State
	doing   map[doing]context.CancelFunc
	offered milestone
	health  string // as the engine's owner was told that there is something new
	saving  bool
	saved   milestone // is on disk
	ackSave bool      // Acked is on disk
	retryAt time.Time // of a failed save
}

// machine is what runners share. It is immutable.
type machine struct {
	runtime Runtime
	network Network
	volumes Volumes // nil on a node with plain volumes only
	specs   specs
	journal *journal
	reports *reporter
	log     *slog.Logger
	reached func(point string) // see Config.Reached
	look    chan struct{}      // holds a token when the engine should look at the whole node
	health  chan struct{}      // holds a token when the health of a container has changed
}

// lookSoon asks for a resync: something did not die as it should, perhaps because it is gone already.
func (m *machine) lookSoon() {
	select {
	case m.look <- struct{}{}:
	default:
	}
}

// note is something for the runner's goroutine to do to its task.
type note func(r *runner)

// doing names an action under way: one per container, one check of it, and one per sandbox.
type doing struct {
	of        string // "container", "check" or "sandbox"
	container string
}

func newDoing(v Verb, container string) doing {
	switch v {
	case VerbSetup, VerbRelease:
		return doing{"sandbox", container}
	case VerbCheck:
		return doing{"check", container}
	}
	return doing{"container", container}
}

// View is a task as readers see it. It is never written after it was handed out.
type View struct {
	Task    *acs.Task
	Desired string // RUNNING or STOPPED, including what the node decided itself
	State   State
}

// newRunner makes a runner for a task whose assignment is on disk. That it is PENDING goes without saying, and so does
// what the control plane has accepted for good.
func newRunner(m *machine, d Desired, s State) *runner {
	d.graph = newGraph(d.Task)
	pending := milestone{status: StatusPending}
	r := &runner{
		id: ID(d.Task.Arn), mach: m, mail: make(chan note), ended: make(chan struct{}),
		desired: d, state: s, doing: map[doing]context.CancelFunc{}, offered: pending, saved: pending,
	}
	if s.Acked {
		r.offered, r.saved, r.ackSave = s.milestone(), s.milestone(), true
	}
	r.show()
	return r
}

// tell hands the note to the runner, unless it has ended or done closes first.
func (r *runner) tell(done <-chan struct{}, n note) {
	select {
	case r.mail <- n:
	case <-r.ended:
	case <-done:
	}
}

// run returns true when the task is over and cleaned up, and false if ctx ended first; it waits for what it started.
func (r *runner) run(ctx context.Context) bool {
	ctx, cancel := context.WithCancel(ctx)
	var children sync.WaitGroup
	defer children.Wait()
	defer cancel()
	defer close(r.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := time.Now()
		state, actions, wake := Step(r.desired, r.state, now)
		r.state = state
		for _, a := range actions {
			r.perform(ctx, &children, a)
		}
		r.publish(ctx, &children, now)
		if r.state.Done && !r.saving && len(r.doing) == 0 {
			return true
		}
		if !r.retryAt.IsZero() && (wake.IsZero() || r.retryAt.Before(wake)) {
			wake = r.retryAt
		}
		timer.Stop()
		if !wake.IsZero() {
			timer.Reset(wake.Sub(now))
		}
		select {
		case n := <-r.mail:
			n(r)
		case <-timer.C:
		case <-ctx.Done():
			return false
		}
	}
}

// publish shows, saves and reports the state. What the node could not find out again after a crash is on disk before
// it is reported: a task that was reported as stopped must not come to life again.
func (r *runner) publish(ctx context.Context, children *sync.WaitGroup, now time.Time) {
	r.show()
	if health := r.state.health(); health != r.health {
		r.health = health
		select {
		case r.mach.health <- struct{}{}:
		default:
		}
	}
	m := r.state.milestone()
	if !r.saving && (m != r.saved || r.state.Acked && !r.ackSave) && !now.Before(r.retryAt) {
		r.save(ctx, children, m)
	}
	if m != r.offered && (m == r.saved || m.stopped == 0) {
		r.offered = m
		r.mach.reports.offer(newReport(r.desired.Task, &r.state), func() {
			r.mach.reached("report.accepted")
			r.tell(ctx.Done(), func(r *runner) { r.state = r.state.Ack() })
		})
	}
}

func (r *runner) show() {
	v := &View{Task: r.desired.Task, Desired: StatusRunning, State: r.state}
	if r.state.Stopping || r.desired.Stop {
		v.Desired = StatusStopped
	}
	r.view.Store(v)
}

func (r *runner) save(ctx context.Context, children *sync.WaitGroup, m milestone) {
	r.saving, r.retryAt = true, time.Time{}
	state := r.state
	children.Go(func() {
		err := r.mach.journal.put(ctx, entry{ID: r.id, State: &state})
		r.mach.reached("save.saved")
		r.tell(ctx.Done(), func(r *runner) {
			r.saving = false
			if err == nil {
				r.saved, r.ackSave = m, state.Acked
				return
			}
			r.mach.log.Warn("save task", "task", r.id, "error", err)
			r.retryAt = time.Now().Add(time.Second)
		})
	})
}

// perform starts an action; its outcome comes back by mail. A cancel takes effect on the action that is under way.
func (r *runner) perform(ctx context.Context, children *sync.WaitGroup, a Action) {
	verb := a.Verb
	if verb == VerbCancel {
		verb = a.Cancels
	}
	key := newDoing(verb, a.Container)
	if a.Verb == VerbCancel {
		if cancel := r.doing[key]; cancel != nil {
			cancel()
		}
		return
	}
	actx, cancel := context.WithDeadline(ctx, a.Deadline)
	r.doing[key] = cancel
	r.mach.log.Debug("perform", "task", r.id, "action", string(a.Verb), "container", a.Container)
	task, state := r.desired.Task, r.state // copies: the goroutine must not look at r
	children.Go(func() {
		r.mach.reached(string(a.Verb) + ".begin")
		o := r.mach.do(actx, a, task, &state)
		r.mach.reached(string(a.Verb) + ".end")
		cancel()
		r.tell(ctx.Done(), func(r *runner) {
			delete(r.doing, key)
			if o.Err != nil && ctx.Err() != nil {
				return // the agent shuts down: that is no failure of the task, whatever the runtime calls it
			}
			if o.Err != nil {
				r.mach.log.Info("action failed", "task", r.id, "action", string(o.Verb), "container", o.Container,
					"error", o.Err)
			}
			if o.Verb == VerbKill || o.Verb == VerbSignal && o.Err != nil {
				r.mach.lookSoon()
			}
			r.state = r.state.Apply(o, time.Now())
		})
	})
}

// do performs one action.
func (m *machine) do(ctx context.Context, a Action, t *acs.Task, s *State) Outcome {
	o := Outcome{Verb: a.Verb, Container: a.Container}
	id, i := ID(t.Arn), s.index(a.Container)
	cid := ContainerID(id, a.Container)
	switch a.Verb {
	case VerbPull:
		o.Digest, o.Err = m.runtime.Pull(ctx, t.Containers[i].Image, pullAuth(t, i))
	case VerbSetup:
		o.Sandbox, o.Err = m.network.Setup(ctx, sandboxRequest(t, a.Container, i))
	case VerbRelease:
		if m.volumes != nil { // every container has stopped
			o.Err = m.volumes.Detach(ctx, id)
		}
		if o.Err == nil {
			o.Err = m.network.Release(ctx, id, a.Container)
		}
	case VerbCreate:
		spec, err := m.specs.spec(ctx, t, s, i)
		if err == nil {
			err = prepare(&spec)
		}
		if err == nil {
			err = m.runtime.Create(ctx, spec)
		}
		o.Err = err
	case VerbStart:
		o.PID, o.Err = m.runtime.Start(ctx, cid)
	case VerbRestart:
		o.PID, o.Err = m.runtime.Restart(ctx, cid)
	case VerbCheck:
		h := healthCheck(&t.Containers[i])
		o.Run, o.Err = m.runtime.Check(ctx, cid, h.Command, h.Timeout)
		if o.Run.TimedOut {
			o.Run.Output = fmt.Sprintf("Health check exceeded timeout (%s): %s", h.Timeout, o.Run.Output) // Docker's words
		}
	case VerbSignal:
		o.Err = m.runtime.Signal(ctx, cid, stopSignal(&t.Containers[i]))
	case VerbKill:
		o.Err = m.runtime.Signal(ctx, cid, "SIGKILL")
	case VerbDelete:
		o.Err = m.runtime.Delete(ctx, cid)
	}
	return o
}

// stopSignal is the task definition's, "" for the image's.
func stopSignal(c *acs.Container) string {
	var config acs.ContainerConfig
	if unmarshal(c.Docker.Config, &config) != nil {
		return ""
	}
	return config.StopSignal
}

// fargate is the launch type whose tasks are kept apart from the node.
const fargate = "FARGATE"

// sandboxRequest asks for container i's sandbox, or with i < 0 for the whole task's.
func sandboxRequest(t *acs.Task, container string, i int) SandboxRequest {
	req := SandboxRequest{TaskID: ID(t.Arn), Container: container, Mode: mode(t), Isolated: t.LaunchType == fargate}
	if i >= 0 {
		req.Ports = t.Containers[i].PortMappings
		var host acs.HostConfig
		if unmarshal(t.Containers[i].Docker.HostConfig, &host) == nil && host.NetworkMode == modeNone {
			req.Mode, req.Ports = modeNone, nil // disableNetworking
		}
		return req
	}
	req.Proxy = t.Proxy
	for j := range t.Containers {
		req.Ports = append(req.Ports, t.Containers[j].PortMappings...)
	}
	if len(t.NetworkInterfaces) > 0 {
		eni := t.NetworkInterfaces[0]
		req.ENI = &eni
	}
	return req
}

// pullAuth says how the image of container i is pulled, and for whom.
func pullAuth(t *acs.Task, i int) *acs.RegistryAuth {
	auth := t.Containers[i].RegistryAuth
	if auth == nil {
		return nil
	}
	out := *auth
	if out.Task = t.Arn; t.ExecutionRole != nil {
		out.Role = t.ExecutionRole.RoleArn
	}
	return &out
}
