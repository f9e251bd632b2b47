package deployment

import (
	"cmp"

	"github.com/roadstead/roadstead/model"
)

// replace stops unhealthy tasks (SEMANTICS §7) [D]: as many as are not needed because others are healthy in their place; and if
// the maximum leaves no room for those others, one by one, or as many as the minimum of RUNNING tasks allows.
func (r *run) replace(c *crew) {
	if c.halted {
		return
	}
	sick := c.out.free(unhealthy)
	count := min(max(c.well+c.out.count(unhealthy)-c.desired, 0), len(sick))
	missing, room := c.desired-len(c.kept), c.maximum-c.live+count
	for _, m := range c.off {
		if !m.protected {
			room++
		}
	}
	coming := c.kept.count(pending) + c.kept.count(warming)
	if r.service.Scheduling == model.SchedulingDaemon { // an instance's task cannot be replaced by one elsewhere
		coming, room = coming+max(missing-len(c.out), 0), 0
	} else {
		coming += max(min(missing, room), 0)
	}
	if missing > max(room, 0) && (r.service.Scheduling == model.SchedulingDaemon || r.Now >= c.to.retryAt()) {
		spare := c.well + c.kept.count(warming) + c.out.count(warming) + c.out.count(unhealthy) - count - c.minimum
		if coming == 0 { // as many as make room for one
			spare = max(spare, 1-room)
		}
		count += max(min(spare, missing-room, len(sick)-count), 0)
	}
	sick = sick[:count]
	c.live, c.leaving = c.live-count, c.leaving-count
	byReason := map[string]members{}
	var reasons []string
	for _, m := range sick {
		reason := "Task failed container health checks"
		if m.Health != "UNHEALTHY" {
			reason = cmp.Or(m.TargetReason, "Task failed ELB health checks")
		}
		if byReason[reason] == nil {
			reasons = append(reasons, reason)
		}
		byReason[reason] = append(byReason[reason], m)
		r.countFailure(m.group, 1)
		if d := m.group.deployment; d != nil {
			d.LastFailure, d.LastFailureAt = reason, r.Now
		}
		if m.group == c.to {
			c.replaced++
		}
	}
	for _, reason := range reasons {
		r.stopAll(byReason[reason], reason)
	}
}

// start asks for the tasks that are missing, as far as there is room for them.
func (r *run) start(c *crew) {
	missing, room := c.desired-len(c.kept), c.maximum-c.live
	if missing <= 0 || c.halted {
		return
	}
	if at := c.to.retryAt(); r.Now < at {
		r.wakeAt(at)
		r.why("The next task of %s is started at %s, because the last ones failed.", c.name(), clock(at))
		return
	}
	count := max(min(missing, room), 0)
	if count < missing {
		r.why("Not started yet: %s. No more than %d may be RUNNING or on their way there (maximumPercent).", tasks(missing-count), c.maximum)
		r.deadlock(c)
	}
	if count == 0 {
		return
	}
	sick := c.replaced
	for _, m := range c.out {
		if m.group == c.to && m.phase == unhealthy {
			sick++
		}
	}
	c.started = count
	r.out.Starts = append(r.out.Starts, Start{Revision: c.to.id, Count: count, Replaced: min(max(count-max(missing-sick, 0), 0), sick)})
}

// deadlock says so when the bounds leave a deployment no way to go on: nothing may be started or stopped, and nothing that is
// under way will change that (SEMANTICS §8.2) [D].
func (r *run) deadlock(c *crew) {
	if len(r.out.Stops) == 0 && c.maximum <= c.live && c.minimum >= c.maximum && c.kept.count(pending)+c.kept.count(warming) == 0 &&
		r.primary != nil && !r.alone() {
		r.repeat(nil, "was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again.")
	}
}
