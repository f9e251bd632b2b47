package deployment

import "github.com/roadstead/roadstead/model"

// members are some tasks of a service.
type members []*member

// free are those in the phase that may be stopped.
func (ms members) free(ph phase) (out members) {
	for _, m := range ms {
		if m.phase == ph && !m.protected {
			out = append(out, m)
		}
	}
	return out
}

func (ms members) count(ph phase) (n int) {
	for _, m := range ms {
		if m.phase == ph {
			n++
		}
	}
	return n
}

// crew is tasks that one desired count is about (SEMANTICS §8.2): those of all deployments of a service, or those of one task set
// or of one revision of a deployment in stages. Its tasks are wanted RUNNING when the decision begins.
type crew struct {
	to                        *group // whose tasks are wanted
	by                        string // id of the deployment or task set for whose sake tasks are stopped
	desired, minimum, maximum int
	halted                    bool    // nothing is started, and nothing has to make place
	own                       bool    // the tasks of other groups are none of its business
	kept                      members // tasks that can stay; more than are desired if the service was scaled in
	out                       members // tasks that have to be replaced or removed, and that may serve meanwhile
	off                       members // tasks that are of no use to anybody: they are stopped at once

	// What is left after the stops decided so far: tasks; healthy ones of kept and out; healthy ones of kept; of out and off.
	live, well, keptWell, leaving int
	replaced                      int // unhealthy tasks of to that are being stopped
	started                       int
}

// crew sorts the tasks of all deployments.
func (r *run) crew() *crew {
	c := &crew{to: r.primary, by: r.primary.id, halted: r.halted()}
	if r.service.Scheduling == model.SchedulingDaemon {
		r.sortDaemon(c)
	} else {
		for _, g := range r.groups {
			for _, m := range g.members {
				c.sort(m)
			}
		}
	}
	c.desired = int(r.service.Desired)
	c.minimum, c.maximum = Bounds(&r.service)
	c.tally()
	return c
}

// sort finds the task's place in the crew of a REPLICA service or a task set. When the deployment has been given up without
// another in its place, those before it keep what they have.
func (c *crew) sort(m *member) {
	switch stays := m.group == c.to || c.halted; {
	case !m.wanted():
	case m.phase == pending && (!stays || m.Leaving), m.phase == unhealthy && c.halted && m.Leaving:
		c.off = append(c.off, m)
	case stays && !m.Leaving && (m.phase != unhealthy || c.halted):
		c.kept = append(c.kept, m)
	default:
		c.out = append(c.out, m)
	}
}

func (c *crew) tally() {
	c.leaving = len(c.out) + len(c.off)
	c.live = len(c.kept) + c.leaving
	c.keptWell = c.kept.count(healthy)
	c.well = c.keptWell + c.out.count(healthy)
}

// scaling is the stoppedReason of tasks that are too many or of another deployment [O].
func (c *crew) scaling() string {
	return "Scaling activity initiated by (deployment " + model.DeploymentName(c.by) + ")"
}

func (c *crew) name() string { return model.DeploymentName(c.to.id) }

// roll brings the crew closer to what is wanted. Stops come first, because what they make room for can be started at once:
// STOPPING tasks do not count against the maximum [I].
func (r *run) roll(c *crew) {
	for _, list := range []members{c.out, c.off} {
		for _, m := range list {
			if m.protected && m.wanted() {
				r.wakeAt(m.ProtectedUntil)
				r.why("Task %s is to go, but protected from scale-in until %s.", m.ID, clock(m.ProtectedUntil))
			}
		}
	}
	for _, ph := range []phase{pending, warming, healthy, unhealthy} {
		from := c.off.free(ph)
		r.stop(from, len(from), c.scaling())
		c.live, c.leaving = c.live-len(from), c.leaving-len(from)
	}
	if r.primary != nil {
		r.attend(c)
	}
	r.scaleIn(c)
	r.scaleDown(c)
	if r.service.Scheduling == model.SchedulingDaemon {
		r.startDaemon(c)
	} else {
		r.start(c)
	}
}

// scaleIn stops what is kept beyond the desired count.
func (r *run) scaleIn(c *crew) {
	if !c.halted {
		if surplus := len(c.kept) - c.desired; surplus > 0 {
			surplus = r.moveOut(c, surplus)
			r.shrink(c, c.to, c.kept, surplus)
		}
		return
	}
	for _, g := range r.groups { // each of those that are kept has no more than all
		var own members
		for _, m := range c.kept {
			if m.group == g {
				own = append(own, m)
			}
		}
		r.shrink(c, g, own, len(own)-c.desired)
	}
}

// shrink stops tasks that are kept: first what is not healthy yet, and healthy ones not below the minimum.
func (r *run) shrink(c *crew, g *group, kept members, surplus int) {
	if surplus <= 0 {
		return
	}
	for _, ph := range []phase{pending, unhealthy, warming, healthy} {
		from := kept.free(ph)
		count := min(surplus, len(from))
		if ph == healthy {
			count = max(min(count, c.well-c.minimum), 0)
			c.well, c.keptWell = c.well-count, c.keptWell-count
		}
		r.stop(from, count, c.scaling())
		surplus, c.live = surplus-count, c.live-count
	}
	if surplus > 0 {
		r.protection(g, kept, c.desired)
	}
}

// scaleDown stops tasks that have to make place for others, while enough serve without them. Those that are not healthy yet
// are not given up lightly, though they do not count: they may serve already [I].
func (r *run) scaleDown(c *crew) {
	spare := c.keptWell + c.out.count(warming) + c.out.count(healthy) - c.minimum
	for _, ph := range []phase{warming, healthy} {
		from := c.out.free(ph)
		count := min(spare, len(from))
		if ph == healthy {
			count = min(count, c.well-c.minimum)
		}
		count = max(count, 0)
		if ph == healthy {
			c.well -= count
		}
		r.stop(from, count, c.scaling())
		spare, c.live, c.leaving = spare-count, c.live-count, c.leaving-count
		if left := len(from) - count; left > 0 {
			r.why("Kept until others are healthy: %s. At least %d have to be (minimumHealthyPercent).", tasks(left), c.minimum)
		}
	}
	for _, g := range r.groups {
		if g == c.to || c.halted || c.own {
			continue
		}
		var left members
		all := true
		for _, m := range g.members {
			if m.wanted() {
				left, all = append(left, m), all && m.protected
			}
		}
		if all {
			r.protection(g, left, 0)
		}
	}
}

// protection says that more tasks than allowed cannot be stopped for their protection, if that is so (SEMANTICS §8.11) [O].
func (r *run) protection(g *group, left members, allowed int) {
	n, until := 0, model.Millis(0)
	for _, m := range left {
		if m.protected {
			n++
			if until == 0 || m.ProtectedUntil < until {
				until = m.ProtectedUntil
			}
		}
	}
	if n <= allowed {
		return
	}
	r.wakeAt(until)
	name := model.DeploymentName(g.id)
	reason := sprintf("(taskSet %s) was unable to scale in due to (reason %d tasks under protection)", name, n)
	r.repeat(&Happening{Type: "INFO", Name: "TASKSET_SCALE_IN_FAILURE_BY_TASK_PROTECTION", Reason: reason}, "was unable to reach steady state because %s", reason)
	r.why("%s of %s cannot be stopped: protected from scale-in, the first until %s.", tasks(n), name, clock(until))
}
