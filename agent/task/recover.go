package task

import (
	"time"

	"github.com/roadstead/roadstead/acs"
)

// Recover rebuilds a task's state after a restart of the agent: saved is the last state on disk (possibly older than
// the truth, or empty), containers and sandboxes are what the node has now. The node is right about everything that
// it can tell; the disk adds what it cannot: failures, exits of containers that are gone, digests.
//
// Nothing has happened later than now: what says so was noted before the clock was set back, and would let deadlines wait for the
// difference.
func Recover(t *acs.Task, saved State, containers []ContainerState, sandboxes []Sandbox, now time.Time) State {
	s := NewState(t)
	found := make(map[string]ContainerState, len(containers))
	for _, c := range containers {
		found[c.Name] = c
	}
	for i := range s.Containers {
		c := &s.Containers[i]
		if old := saved.Container(c.Name); old != nil {
			vitals := c.Vitals
			*c = *old
			c.Vitals = vitals
		}
		c.Try, c.Check, c.Delivered = Try{}, Try{}, false
		if seen, ok := found[c.Name]; ok {
			c.adopt(seen, now)
		} else {
			c.missing(now)
		}
	}
	for i := range s.Nets {
		n := &s.Nets[i]
		for j := range saved.Nets {
			if saved.Nets[j].Container == n.Container {
				*n = saved.Nets[j]
			}
		}
		n.adopt(mode(t), sandboxes)
	}
	s.Ran, s.Stopping, s.Reason = saved.Ran, saved.Stopping, saved.Reason
	s.ExecutionStoppedAt, s.StoppedAt = saved.ExecutionStoppedAt, saved.StoppedAt
	s.Acked, s.Done = saved.Acked, saved.Done
	s.notLaterThan(now)
	return s
}

func (s *State) notLaterThan(now time.Time) {
	times := []*time.Time{&s.ExecutionStoppedAt, &s.StoppedAt}
	for i := range s.Containers {
		c := &s.Containers[i]
		times = append(times, &c.PullStartedAt, &c.PullStoppedAt, &c.CreatedAt, &c.StartedAt, &c.FinishedAt, &c.RestartedAt, &c.SignalledAt)
	}
	for _, at := range times {
		if at.After(now) {
			*at = now
		}
	}
}

// adopt merges what the runtime says about a container that it has.
func (c *Container) adopt(seen ContainerState, now time.Time) {
	c.Touched, c.Deleted = true, false
	if d := seen.Labels[LabelDigest]; d != "" && c.Digest == "" {
		c.Digest = d
	}
	if c.Phase == PhaseStopped {
		// Given up without an exit, or the runtime disagrees with the exit: it must not run on.
		c.Purge = c.Purge || seen.Status != StatusStopped
		return
	}
	switch seen.Status {
	case StatusRunning:
		c.Phase, c.Ran, c.PID, c.Vitals, c.Restarting = PhaseRunning, true, seen.PID, Vitals{}, false
		if c.StartedAt.IsZero() {
			c.StartedAt = seen.StartedAt
		}
	case StatusStopped:
		if c.StartedAt.IsZero() {
			c.StartedAt = seen.StartedAt
		}
		if at := known(seen.FinishedAt, now); c.Restarting && !at.After(c.RestartedAt) {
			return // the restart that was decided is still to be made
		}
		c.exit(seen.ExitCode, seen.OOMKilled, known(seen.FinishedAt, now))
	default:
		if c.Ran { // the node was rebooted under it: it is not started a second time
			c.vanish(now)
			c.Purge = true
			return
		}
		c.Phase = PhaseCreated
	}
}

// known is the time, or now if nobody noted it.
func known(at, now time.Time) time.Time {
	if at.IsZero() {
		return now
	}
	return at
}

// missing: the runtime does not have the container.
func (c *Container) missing(now time.Time) {
	switch c.Phase {
	case PhaseStopped:
		c.Deleted = true
	case PhaseRunning:
		c.vanish(now)
	default:
		// The image may be gone as well, and something half made may be there that the runtime does not list.
		c.Phase, c.Touched = PhaseNone, true
	}
}

// vanish: a container that ran is gone, and nobody saw how it ended.
func (c *Container) vanish(now time.Time) {
	c.Phase, c.Ran, c.FinishedAt, c.Restarting = PhaseStopped, true, now, false
	c.Reason = "ContainerVanishedError: the runtime no longer has container " + c.Name
}

// adopt merges what the network says. Whatever it does not list is released once more in the end, which is harmless.
func (n *Net) adopt(mode string, sandboxes []Sandbox) {
	n.Try = Try{}
	if n.Gone {
		return
	}
	n.Tried = true
	for _, sb := range sandboxes {
		if sb.Container == n.Container {
			n.Up, n.Sandbox = true, sb
			return
		}
	}
	// Modes host and none leave nothing to list, so there the disk is right.
	n.Up = n.Up && (mode == modeHost || mode == modeNone)
}

// Resync merges a listing of the node's containers, begun at the time asked, into the state of a live task: exits that
// no event told, and containers that vanished. What started after asked is not judged.
func (s State) Resync(containers []ContainerState, asked, now time.Time) State {
	s = s.clone()
	found := make(map[string]ContainerState, len(containers))
	for _, c := range containers {
		found[c.Name] = c
	}
	for i := range s.Containers {
		c := &s.Containers[i]
		if c.Phase != PhaseRunning || c.Restarting || !c.begun().Before(asked) {
			continue
		}
		switch seen, ok := found[c.Name]; {
		case !ok:
			c.vanish(now)
		case seen.Status == StatusStopped:
			c.exit(seen.ExitCode, seen.OOMKilled, known(seen.FinishedAt, now))
		}
	}
	return s
}
