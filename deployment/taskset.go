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
		c := &crew{to: g, by: g.id, own: true}
		if g.set != nil && g.set.Status != setDraining {
			c.desired = ComputedDesired(r.service.Desired, g.set.Scale)
		}
		for _, m := range g.members {
			c.sort(m)
		}
		c.minimum, c.maximum = c.desired, 2*c.desired
		c.tally()
		r.replace(c)
		r.roll(c)
		r.out.Why = append(r.out.Why, r.waiting(c)...)
		if g.set == nil {
			continue
		}
		if g.set.Status == setDraining {
			if g.gone() {
				r.out.Gone = append(r.out.Gone, g.set)
			}
			continue
		}
		now := c.started == 0 && c.live == c.desired && c.well == c.desired && c.leaving == 0 && !r.short()
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
