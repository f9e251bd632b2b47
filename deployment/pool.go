package deployment

import "github.com/roadstead/roadstead/model"

// members are some tasks of a service.
type members []*member

// free are those in the phase that may be stopped.
func (ms members) free(p phase) (out members) {
	for _, m := range ms {
		if m.phase == p && !m.protected {
			out = append(out, m)
		}
	}
	return out
}

func (ms members) count(p phase) (n int) {
	for _, m := range ms {
		if m.phase == p {
			n++
		}
	}
	return n
}

// pool is tasks that one arithmetic is about (SEMANTICS §8.2): those of all deployments of a service, or those of one task set.
// Its tasks are wanted RUNNING when the decision begins.
type pool struct {
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

// pool sorts the tasks of all deployments.
func (r *run) pool() *pool {
	p := &pool{to: r.primary, by: r.primary.id, halted: r.halted()}
	if r.service.Scheduling == model.SchedulingDaemon {
		r.sortDaemon(p)
	} else {
		for _, g := range r.groups {
			for _, m := range g.members {
				p.sort(m)
			}
		}
	}
	p.desired = int(r.service.Desired)
	p.minimum, p.maximum = Bounds(&r.service)
	p.tally()
	return p
}

// sort finds the task's place in the pool of a REPLICA service or a task set. When the deployment has been given up without
// another in its place, those before it keep what they have.
func (p *pool) sort(m *member) {
	switch stays := m.group == p.to || p.halted; {
	case !m.wanted():
	case m.phase == pending && (!stays || m.Leaving), m.phase == unhealthy && p.halted && m.Leaving:
		p.off = append(p.off, m)
	case stays && !m.Leaving && (m.phase != unhealthy || p.halted):
		p.kept = append(p.kept, m)
	default:
		p.out = append(p.out, m)
	}
}

func (p *pool) tally() {
	p.leaving = len(p.out) + len(p.off)
	p.live = len(p.kept) + p.leaving
	p.keptWell = p.kept.count(healthy)
	p.well = p.keptWell + p.out.count(healthy)
}

// scaling is the stoppedReason of tasks that are too many or of another deployment [O].
func (p *pool) scaling() string {
	return "Scaling activity initiated by (deployment " + model.DeploymentName(p.by) + ")"
}

func (p *pool) name() string { return model.DeploymentName(p.to.id) }

// roll brings the pool closer to what is wanted. Stops come first, because what they make room for can be started at once:
// STOPPING tasks do not count against the maximum [I].
func (r *run) roll(p *pool) {
	for _, list := range []members{p.out, p.off} {
		for _, m := range list {
			if m.protected && m.wanted() {
				r.wakeAt(m.ProtectedUntil)
				r.why("Task %s is to go, but protected from scale-in until %s.", m.ID, clock(m.ProtectedUntil))
			}
		}
	}
	for _, ph := range []phase{pending, warming, healthy, unhealthy} {
		from := p.off.free(ph)
		r.stop(from, len(from), p.scaling())
		p.live, p.leaving = p.live-len(from), p.leaving-len(from)
	}
	if r.primary != nil {
		r.attend(p)
	}
	r.scaleIn(p)
	r.scaleDown(p)
	if r.service.Scheduling == model.SchedulingDaemon {
		r.startDaemon(p)
	} else {
		r.start(p)
	}
}

// scaleIn stops what is kept beyond the desired count.
func (r *run) scaleIn(p *pool) {
	if !p.halted {
		if surplus := len(p.kept) - p.desired; surplus > 0 {
			surplus = r.moveOut(p, surplus)
			r.shrink(p, p.to, p.kept, surplus)
		}
		return
	}
	for _, g := range r.groups { // each of those that are kept has no more than all
		var own members
		for _, m := range p.kept {
			if m.group == g {
				own = append(own, m)
			}
		}
		r.shrink(p, g, own, len(own)-p.desired)
	}
}

// shrink stops tasks that are kept: first what is not healthy yet, and healthy ones not below the minimum.
func (r *run) shrink(p *pool, g *group, kept members, surplus int) {
	if surplus <= 0 {
		return
	}
	for _, ph := range []phase{pending, unhealthy, warming, healthy} {
		from := kept.free(ph)
		count := min(surplus, len(from))
		if ph == healthy {
			count = max(min(count, p.well-p.minimum), 0)
			p.well, p.keptWell = p.well-count, p.keptWell-count
		}
		r.stop(from, count, p.scaling())
		surplus, p.live = surplus-count, p.live-count
	}
	if surplus > 0 {
		r.protection(g, kept, p.desired)
	}
}

// scaleDown stops tasks that have to make place for others, while enough serve without them. Those that are not healthy yet
// are not given up lightly, though they do not count: they may serve already [I].
func (r *run) scaleDown(p *pool) {
	spare := p.keptWell + p.out.count(warming) + p.out.count(healthy) - p.minimum
	for _, ph := range []phase{warming, healthy} {
		from := p.out.free(ph)
		count := min(spare, len(from))
		if ph == healthy {
			count = min(count, p.well-p.minimum)
		}
		count = max(count, 0)
		if ph == healthy {
			p.well -= count
		}
		r.stop(from, count, p.scaling())
		spare, p.live, p.leaving = spare-count, p.live-count, p.leaving-count
		if left := len(from) - count; left > 0 {
			r.why("Kept until others are healthy: %s. At least %d have to be (minimumHealthyPercent).", tasks(left), p.minimum)
		}
	}
	for _, g := range r.groups {
		if g == p.to || p.halted || p.own {
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
