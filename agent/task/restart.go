package task

import (
	"slices"
	"time"

	"github.com/roadstead/roadstead/acs"
)

// restart applies restart policies to containers that have just ended, before anything else is concluded from that
// (SEMANTICS §11.4, AGENT-PROTOCOL §4.5) [D]: such a container goes on counting as running. When the task stops, what was to be
// restarted has ended.
func (p *step) restart() {
	for i := range p.s.Containers {
		c := &p.s.Containers[i]
		switch stops := p.s.Stopping || p.d.Stop; {
		case c.Restarting && stops && !c.Try.Doing:
			c.Restarting, c.Phase, c.Purge = false, PhaseStopped, true
		case c.Phase == PhaseStopped && !stops && c.SignalledAt.IsZero() && mayRestart(p.d.Task.Containers[i].RestartPolicy, c):
			c.Phase, c.Restarting, c.RestartedAt = PhaseRunning, true, p.now
			c.Restarts++
			if c.Vitals.Health != "" {
				c.Vitals = Vitals{Health: HealthUnknown, Since: p.now}
			}
		}
	}
}

// mayRestart judges by the end of the container alone, so that the answer never changes: it must have run for the policy's
// period since its last start, and ended with a known code that is not to be ignored. When it ended before it began, the clock was
// set back while no agent looked: nobody knows how long it ran, and it has the benefit of the doubt.
func mayRestart(policy *acs.RestartPolicy, c *Container) bool {
	if policy == nil || !policy.Enabled || !c.Ran || c.Failed || c.Purge || c.Deleted || c.ExitCode == nil {
		return false
	}
	period := time.Duration(policy.AttemptPeriod) * time.Second
	ran := c.FinishedAt.Sub(c.begun())
	return !slices.Contains(policy.IgnoredExitCodes, *c.ExitCode) && (ran >= period || ran < 0)
}

// begun is when the container's process was started last.
func (c *Container) begun() time.Time {
	if c.RestartedAt.IsZero() {
		return c.StartedAt
	}
	return c.RestartedAt
}
