package task

import (
	"time"

	"github.com/roadstead/roadstead/acs"
)

// stop brings a stopping task's containers down in reverse order of their dependencies: a container is signalled
// after everything that waits for it has stopped, whatever the condition was (AGENT-PROTOCOL §4.4).
func (p *step) stop() {
	for i := range p.s.Nets {
		if n := &p.s.Nets[i]; n.Try.Verb == VerbSetup {
			p.cancel(&n.Try, n.Container)
		}
	}
	for i := range p.s.Containers {
		if p.s.Containers[i].Phase == PhaseRunning && p.last(i) {
			p.stopContainer(i)
		}
	}
}

// last is true if all that depend on the container have stopped.
func (p *step) last(i int) bool {
	for _, w := range p.d.graph.wanted[i] {
		if !p.s.Containers[w].settled() && w != i && p.d.graph.broken == "" {
			return false
		}
	}
	return true
}

// stopContainer sends the stop signal, and SIGKILL when the stop time-out has passed since the signal was first
// sent (SEMANTICS §11.3).
func (p *step) stopContainer(i int) {
	c := &p.s.Containers[i]
	if c.SignalledAt.IsZero() {
		c.SignalledAt = p.now
	}
	killAt := c.SignalledAt.Add(p.stopTimeout(&p.d.Task.Containers[i]))
	if !p.now.Before(killAt) {
		if c.Try.Doing && c.Try.Verb == VerbSignal {
			p.cancel(&c.Try, c.Name)
			return
		}
		p.begin(&c.Try, VerbKill, c.Name, 0)
		return
	}
	p.lookAt(killAt)
	if !c.Delivered {
		p.begin(&c.Try, VerbSignal, c.Name, 0)
	}
}

func (p *step) stopTimeout(c *acs.Container) time.Duration {
	d := time.Duration(c.StopTimeout) * time.Second
	if c.StopTimeout == 0 {
		d = p.d.StopTimeout
	}
	return max(d, minStop)
}

// purge deletes at once what the runtime may hold of containers that count as stopped without an exit: it might run.
func (p *step) purge() {
	for i := range p.s.Containers {
		if c := &p.s.Containers[i]; c.Phase == PhaseStopped && c.Purge && !c.Deleted {
			p.begin(&c.Try, VerbDelete, c.Name, 0)
		}
	}
}

// release gives the sandboxes back when every container has stopped; then the task is STOPPED.
func (p *step) release() {
	if !p.s.Stopping && !p.allStopped() || !p.s.StoppedAt.IsZero() {
		return
	}
	for i := range p.s.Containers {
		if c := &p.s.Containers[i]; !c.settled() {
			return
		}
	}
	gone := true
	for i := range p.s.Nets {
		n := &p.s.Nets[i]
		if !n.Tried && !n.Up {
			n.Gone = true
		}
		if !n.Gone {
			gone = false
			p.begin(&n.Try, VerbRelease, n.Container, 0)
		}
	}
	if gone {
		p.s.StoppedAt = p.now
	}
}

func (p *step) allStopped() bool {
	for i := range p.s.Containers {
		if p.s.Containers[i].Phase != PhaseStopped {
			return false
		}
	}
	return true
}

// cleanup deletes the stopped containers a while after the task stopped, and only when the control plane knows that
// it did: until then they are the evidence (SEMANTICS §11.3, AGENT-PROTOCOL §4.3).
func (p *step) cleanup() {
	if p.s.StoppedAt.IsZero() || !p.s.Acked || p.s.Done {
		return
	}
	if at := p.s.StoppedAt.Add(p.d.CleanupAfter); p.now.Before(at) {
		p.lookAt(at)
		return
	}
	done := true
	for i := range p.s.Containers {
		c := &p.s.Containers[i]
		if !c.Touched {
			c.Deleted = true
		}
		if !c.Deleted {
			done = false
			p.begin(&c.Try, VerbDelete, c.Name, 0)
		}
	}
	p.s.Done = done
}
