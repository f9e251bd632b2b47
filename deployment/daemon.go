package deployment

import "github.com/roadstead/roadstead/model"

// sortDaemon sorts the tasks of a DAEMON service (SEMANTICS §5.6): one may stay on each instance that the PRIMARY deployment is
// eligible for. A task is of no use to anybody where its instance is not in the list any more, or is being drained. The desired
// count is that of the eligible instances.
func (r *run) sortDaemon(c *crew) {
	eligible := map[string]bool{}
	for _, id := range r.Instances[c.to.id] {
		eligible[id] = true
	}
	r.service.Desired = int32(len(eligible))
	taken := map[string]bool{}
	var violating []string
	for _, g := range r.groups {
		for _, m := range g.members {
			switch stays := g == c.to || c.halted; {
			case !m.wanted():
			case m.Leaving || !eligible[m.Instance]:
				c.off = append(c.off, m)
				if g == c.to && !m.Leaving && !m.protected {
					violating = append(violating, m.Instance)
				}
			case stays && m.phase != unhealthy && !taken[m.Instance]:
				c.kept, taken[m.Instance] = append(c.kept, m), true
			case m.phase == pending:
				c.off = append(c.off, m)
			default:
				c.out = append(c.out, m)
			}
		}
	}
	r.violating = violating
}

// startDaemon asks for a task on each eligible instance that has none of the service, not even one on its way down: the maximum
// is one to an instance.
func (r *run) startDaemon(c *crew) {
	if len(r.violating) > 0 {
		r.happen(Happening{Type: "ERROR", Name: "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED", Instances: r.violating})
	}
	if c.halted {
		return
	}
	occupied := map[string]bool{}
	for _, g := range r.groups {
		for _, m := range g.members {
			if m.phase != ended {
				occupied[m.Instance] = true
			}
		}
	}
	var empty []string
	for _, id := range r.Instances[c.to.id] {
		switch at := c.to.retryOn(id); {
		case occupied[id]:
		case r.Now < at:
			r.wakeAt(at)
			r.why("The next task of %s on instance %s is started at %s, because the last ones failed.", c.name(), id, clock(at))
		default:
			empty = append(empty, id)
		}
	}
	if len(empty) == 0 {
		return
	}
	c.started = len(empty)
	r.out.Starts = append(r.out.Starts, Start{Revision: c.to.id, Count: len(empty), Instances: empty})
}

// drain stops everything that a deleted service still has, protected or not. It is INACTIVE when the nodes have taken the stops
// of all its tasks (SEMANTICS §2.6) [I]: none is RUNNING then, or will be.
func (r *run) drain() {
	r.leaveStages(nil)
	over := true
	for _, g := range r.groups {
		var left members
		for _, m := range g.members {
			if m.wanted() {
				left = append(left, m)
			}
			over = over && (m.phase == ended || m.phase == stopping && (m.Last == model.TaskStopping || m.Last == model.TaskDeprovisioning))
		}
		r.stopAll(left, "Service deleted")
	}
	if !over {
		return
	}
	r.service.Status, r.service.InactiveAt, r.service.Steady = model.ServiceInactive, r.Now, 0
	for _, g := range r.groups {
		r.retire(g)
	}
}
