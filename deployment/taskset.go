package deployment

import "github.com/roadstead/roadstead/model"

// setDraining is the status of a task set that is being deleted.
const setDraining = "DRAINING"

// taskSets decides for a service whose task sets others make (SEMANTICS §10): each has the share of the desired count that its
// scale says, and the default bounds while its tasks are replaced [D].
func (r *run) taskSets() {
	r.note()
	steady := true
	for _, g := range r.groups {
		p := &pool{to: g, by: g.id, own: true}
		if g.set != nil && g.set.Status != setDraining {
			p.desired = ComputedDesired(r.service.Desired, g.set.Scale)
		}
		for _, m := range g.members {
			p.sort(m)
		}
		p.minimum, p.maximum = p.desired, 2*p.desired
		p.tally()
		r.replace(p)
		r.roll(p)
		r.out.Why = append(r.out.Why, r.waiting(p)...)
		if g.set == nil {
			continue
		}
		if g.set.Status == setDraining {
			if g.gone() {
				r.out.Gone = append(r.out.Gone, g.set)
			}
			continue
		}
		now := p.started == 0 && p.live == p.desired && p.well == p.desired && p.leaving == 0 && !r.short()
		steady = steady && now
		if now != g.set.Steady {
			set := r.setRow(g)
			set.Steady, set.SteadyAt = now, r.Now
			if now {
				r.happen(Happening{Type: "INFO", Name: "TASKSET_STEADY_STATE", Reason: model.DeploymentName(g.id)})
			}
		}
	}
	r.settled(steady && len(r.TaskSets) > len(r.out.Gone))
}

// retire ends the row of a service that is gone.
func (r *run) retire(g *group) {
	switch {
	case g.set != nil:
		r.out.Gone = append(r.out.Gone, g.set)
	case g.deployment != nil && (g.listed() || !g.deployment.Ended()):
		d := r.row(g)
		d.Status = model.DeploymentInactive
		if !d.Ended() {
			r.endRecord(d, model.StateStopped, "The service was deleted.")
		}
	}
}
