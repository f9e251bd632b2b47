package task

import (
	"time"

	"github.com/roadstead/roadstead/acs"
)

// Recover rebuilds a task's state after a restart of the agent: saved is the last state on disk (possibly older than
// the truth, or empty), containers and sandboxes are what the node has now. The node is right about everything that
// it can tell; the disk adds what it cannot: failures, exits of containers that are gone, digests.
//
// All times are put on the clock of now (see onClock).
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
			c.onClock(now)
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
	s.ExecutionStoppedAt, s.StoppedAt = onClock(saved.ExecutionStoppedAt, now), onClock(saved.StoppedAt, now)
	s.Acked, s.Done = saved.Acked, saved.Done
	return s
}

// onClock is a time that comes from a disk or from the runtime, on the clock of this process, whose present is now. Such a time is
// the wall clock's, which may be set, while a time.Time of this process remembers the monotonic clock, too. What was noted before the
// wall clock was set back seems to be still to come, and would let deadlines wait for the difference: it is now. And from now on the
// time keeps its distance from others, whatever is done to the wall clock.
func onClock(at, now time.Time) time.Time {
	if at.IsZero() {
		return at
	}
	return now.Add(min(at.Sub(now), 0))
}

func (c *Container) onClock(now time.Time) {
	for _, at := range []*time.Time{&c.PullStartedAt, &c.PullStoppedAt, &c.CreatedAt, &c.StartedAt, &c.FinishedAt, &c.RestartedAt, &c.SignalledAt} {
		*at = onClock(*at, now)
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
		c.Purge = c.Purge || seen.Status != StatusStopped && !seen.Unsure
		return
	}
	switch seen.Status {
	case StatusRunning:
		c.Phase, c.Ran, c.PID, c.Vitals = PhaseRunning, true, seen.PID, Vitals{}
		c.Restarting = c.Restarting && seen.Unsure // a restart leaves alone what runs
		if c.StartedAt.IsZero() {
			c.StartedAt = onClock(seen.StartedAt, now)
		}
	case StatusStopped:
		if c.StartedAt.IsZero() {
			c.StartedAt = onClock(seen.StartedAt, now)
		}
		at := known(seen.FinishedAt, now)
		if c.Restarting && !at.After(c.RestartedAt) {
			return // the restart that was decided is still to be made
		}
		c.exit(seen.ExitCode, seen.OOMKilled, at)
	default:
		if c.Ran { // the node was rebooted under it: it is not started a second time
			c.vanish(now)
			c.Purge = true
			return
		}
		c.Phase = PhaseCreated
	}
}

// known is the time, on the clock of now, or now if nobody noted it.
func known(at, now time.Time) time.Time {
	if at.IsZero() {
		return now
	}
	return onClock(at, now)
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
// no event told, and containers that vanished. What started after asked is not judged, nor what the runtime is unsure of.
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
		case seen.Unsure:
		case seen.Status == StatusStopped:
			c.exit(seen.ExitCode, seen.OOMKilled, known(seen.FinishedAt, now))
		}
	}
	return s
}
