package task

import (
	"time"

	"github.com/roadstead/roadstead/acs"
)

// Verb names an action.
type Verb string

// The actions of a task, in the order of a container's life. VerbCancel gives up the pull, setup, create or check that is
// under way; its own outcome follows as the outcome of that action.
const (
	VerbPull    Verb = "pull"
	VerbSetup   Verb = "setup"
	VerbCreate  Verb = "create"
	VerbStart   Verb = "start"
	VerbRestart Verb = "restart"
	VerbCheck   Verb = "check"
	VerbSignal  Verb = "signal"
	VerbKill    Verb = "kill"
	VerbDelete  Verb = "delete"
	VerbRelease Verb = "release"
	VerbCancel  Verb = "cancel"
)

// Action is one thing to do on the Runtime or the Network. At most one action per container, one health check of it
// beside, and one action per sandbox are under way.
type Action struct {
	Verb      Verb
	Container string    // the container, or the sandbox's container ("" in awsvpc)
	Cancels   Verb      // of VerbCancel
	Deadline  time.Time // the attempt is abandoned then; zero = never
}

// Desired is what is wanted of a task.
type Desired struct {
	Task *acs.Task
	Stop bool // wanted STOPPED; never taken back
	// StopTimeout is for containers that name none; CleanupAfter is how long containers stay after STOPPED.
	StopTimeout  time.Duration
	CleanupAfter time.Duration

	graph *graph // of Task; Step builds it if nil
}

// Limits of time over all tries of an action (AGENT-PROTOCOL §4.5). Stopping and cleaning up are tried for ever.
const (
	pullLimit   = 2 * time.Hour
	createLimit = 4 * time.Minute
	startLimit  = 3 * time.Minute
	setupLimit  = 4 * time.Minute
	tryLimit    = time.Minute     // one try of signal, kill, delete, release
	killAgain   = 5 * time.Second // a killed container that did not exit is killed again
	minStop     = time.Second
)

// exitNeverStarted is the exit code of a container whose dependency can never be satisfied (AGENT-PROTOCOL §4.4).
const exitNeverStarted = 143

// Step decides what to do next for one task: the state with the decisions written in, the actions to perform (their
// outcomes come back through State.Apply), and when to look again if nothing happens before (zero = no need). It is
// a pure function. Sources: SEMANTICS §7, §11.3, §11.4; AGENT-PROTOCOL §4.3-4.5.
//
// Pulls and sandboxes start at once and in parallel; a container is created when its sandbox is up and what it waits
// for COMPLETE, SUCCESS or HEALTHY has come true, and started when every dependency holds.
func Step(d Desired, s State, now time.Time) (State, []Action, time.Time) {
	if d.graph == nil {
		d.graph = newGraph(d.Task)
	}
	p := step{d: d, s: s.clone(), now: now}
	p.judge()
	p.restart()
	p.settle()
	if p.s.Stopping {
		p.stop()
	} else {
		p.advance()
	}
	p.check()
	p.purge()
	p.release()
	p.cleanup()
	return p.s, p.actions, p.wake
}

// step is one run of Step.
type step struct {
	d       Desired
	s       State
	now     time.Time
	actions []Action
	wake    time.Time
}

// settle draws every conclusion that needs no action, until there is no more to draw: the task stops; containers
// that will never start are STOPPED; the task is RUNNING.
func (p *step) settle() {
	for again := true; again; {
		again = false
		p.latch()
		for i := range p.s.Containers {
			c := &p.s.Containers[i]
			if c.Phase >= PhaseRunning {
				continue
			}
			reason, doomed := p.fate(i)
			switch {
			case !doomed || (c.Try.Doing && c.Try.Verb == VerbStart):
				// A start under way is waited for: nobody could tell afterwards whether it ran.
			case c.Try.Doing:
				p.cancel(&c.Try, c.Name)
			default:
				if c.Phase = PhaseStopped; reason != "" {
					c.Reason, c.ExitCode = reason, new(int32)
					*c.ExitCode = exitNeverStarted
				}
				c.Purge = c.Touched
				again = true
			}
		}
	}
}

// fate tells whether a container that does not run yet will never be started, with the reason if its dependencies
// are to blame.
func (p *step) fate(i int) (reason string, doomed bool) {
	if p.s.Stopping {
		return "", true
	}
	for _, e := range p.d.graph.needs[i] {
		v := e.judge(p.d.Task, &p.s, p.now)
		if v.never != "" {
			return v.never, true
		}
		p.lookAt(v.wake)
	}
	return "", false
}

// latch sets what never goes back: Stopping with its reason, Ran, ExecutionStoppedAt.
func (p *step) latch() {
	started, ran := true, true
	for i := range p.s.Containers {
		c := &p.s.Containers[i]
		essential := p.d.Task.Containers[i].Essential
		started = started && c.Phase >= PhaseRunning && (c.Ran || !essential)
		ran = ran && c.Ran
		if c.Phase != PhaseStopped {
			continue
		}
		if essential && p.s.ExecutionStoppedAt.IsZero() {
			if p.s.ExecutionStoppedAt = c.FinishedAt; c.FinishedAt.IsZero() {
				p.s.ExecutionStoppedAt = p.now
			}
		}
		switch {
		case c.Failed:
			p.stopping(c.Reason)
		case essential && c.Ran && c.SignalledAt.IsZero():
			p.stopping("Essential container in task exited")
		case essential:
			p.stopping(c.Reason)
		}
	}
	for i := range p.s.Nets {
		if p.s.Nets[i].Failed {
			p.stopping(p.s.Nets[i].Reason)
		}
	}
	if p.d.Stop {
		p.stopping("")
	}
	if p.d.graph.broken != "" {
		p.stopping(p.d.graph.broken)
	}
	// A container can be gone before its start was even noted: having run counts.
	if len(p.s.Containers) > 0 && (ran || started && !p.s.Stopping) {
		p.s.Ran = true
	}
}

func (p *step) stopping(reason string) {
	if !p.s.Stopping {
		p.s.Stopping, p.s.Reason = true, reason
	}
}

// advance brings containers and sandboxes up.
func (p *step) advance() {
	for i := range p.s.Nets {
		n := &p.s.Nets[i]
		if !n.Up && !n.Gone && p.wantsNet(n) {
			n.Tried = p.begin(&n.Try, VerbSetup, n.Container, setupLimit) || n.Tried
		}
	}
	for i := range p.s.Containers {
		c := &p.s.Containers[i]
		switch c.Phase {
		case PhaseNone:
			if p.begin(&c.Try, VerbPull, c.Name, pullLimit) && c.PullStartedAt.IsZero() {
				c.PullStartedAt = p.now
			}
		case PhasePulled:
			if p.mayCreate(i) {
				c.Touched = p.begin(&c.Try, VerbCreate, c.Name, createLimit) || c.Touched
			}
		case PhaseCreated:
			if p.mayStart(i) {
				p.begin(&c.Try, VerbStart, c.Name, startLimit)
			}
		case PhaseRunning:
			if c.Restarting {
				p.begin(&c.Try, VerbRestart, c.Name, startLimit)
			}
		}
	}
}

// wantsNet: a sandbox is set up for containers to come. In modes host and none it is only the list of bindings, which
// a container found running after a restart wants too.
func (p *step) wantsNet(n *Net) bool {
	if m := mode(p.d.Task); m == modeHost || m == modeNone {
		return true
	}
	for i := range p.s.Containers {
		c := &p.s.Containers[i]
		if (n.Container == "" || n.Container == c.Name) && c.Phase < PhaseRunning {
			return true
		}
	}
	return false
}

func (p *step) mayCreate(i int) bool {
	if !p.netUp(i) {
		return false
	}
	for _, e := range p.d.graph.needs[i] {
		if e.gates() && !e.judge(p.d.Task, &p.s, p.now).ok || e.link && !p.netUp(e.on) {
			return false
		}
	}
	return true
}

func (p *step) mayStart(i int) bool {
	for _, e := range p.d.graph.needs[i] {
		if !e.judge(p.d.Task, &p.s, p.now).ok {
			return false
		}
	}
	return true
}

func (p *step) netUp(i int) bool {
	n := p.s.Net(p.s.Containers[i].Name)
	return n == nil || n.Up
}

// begin starts a try of the action unless something is under way or it is too early. limit bounds all tries.
func (p *step) begin(t *Try, v Verb, container string, limit time.Duration) bool {
	if t.Doing {
		return false
	}
	if t.Verb != v {
		*t = Try{Verb: v}
	}
	if p.now.Before(t.NotBefore) {
		p.lookAt(t.NotBefore)
		return false
	}
	if t.Since.IsZero() {
		t.Since = p.now
	}
	deadline := p.now.Add(tryLimit)
	if limit > 0 {
		deadline = t.Since.Add(limit)
	}
	t.Doing = true
	p.actions = append(p.actions, Action{Verb: v, Container: container, Deadline: deadline})
	return true
}

func (p *step) cancel(t *Try, container string) {
	if t.Doing && !t.Cancelled {
		t.Cancelled = true
		p.actions = append(p.actions, Action{Verb: VerbCancel, Container: container, Cancels: t.Verb})
	}
}

func (p *step) lookAt(at time.Time) {
	if !at.IsZero() && (p.wake.IsZero() || at.Before(p.wake)) {
		p.wake = at
	}
}
