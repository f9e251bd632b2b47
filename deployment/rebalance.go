package deployment

import (
	"slices"
	"strings"

	"github.com/roadstead/roadstead/model"
)

const zoneAttribute = "attribute:ecs.availability-zone"

// canMove reports whether tasks may be moved between availability zones (SEMANTICS §8.10) [D]: the service asks for it, its
// bounds, strategy and constraints do not speak against it, and nothing else is going on.
func (r *run) canMove(c *crew) bool {
	set := &r.service.Settings
	return set.AvailabilityZoneRebalancing == "ENABLED" && r.service.Scheduling == model.SchedulingReplica && len(r.Zones) > 1 &&
		c.maximum > c.desired && !r.tied(c) &&
		r.primary.deployment.Rollout == model.RolloutCompleted && len(c.out)+len(c.off) == 0 && r.alone()
}

// tied reports whether the service's tasks are bound to zones by something else than the wish that they be spread.
func (r *run) tied(c *crew) bool {
	set := &r.service.Settings
	if len(set.PlacementStrategy) > 0 {
		if s := set.PlacementStrategy[0]; s.Type != "spread" || deref(s.Field) != zoneAttribute {
			return true
		}
	}
	for _, c := range set.PlacementConstraints {
		if strings.Contains(deref(c.Expression), zoneAttribute) {
			return true
		}
	}
	return slices.ContainsFunc(c.kept, func(m *member) bool { return m.LaunchType == "EXTERNAL" })
}

// zone is an availability zone as rebalancing sees it.
type zone struct {
	name  string
	open  bool // tasks can be placed there
	tasks int
	free  members      // healthy ones that may be stopped
	until model.Millis // when the first of the others may be
	moves int          // tasks to be started there
	moved members      // tasks that are stopped there
}

// byZone counts the tasks that are kept, in the zones where tasks can be placed and in those where some are.
func (r *run) byZone(c *crew) []*zone {
	var zones []*zone
	find := func(name string) *zone {
		for _, z := range zones {
			if z.name == name {
				return z
			}
		}
		zones = append(zones, &zone{name: name})
		return zones[len(zones)-1]
	}
	for _, name := range r.Zones {
		find(name).open = true
	}
	for _, m := range c.kept {
		if m.Zone == "" { // it has no instance yet
			continue
		}
		z := find(m.Zone)
		z.tasks++
		if m.phase == healthy && !m.protected {
			z.free = append(z.free, m)
		} else if m.protected && (z.until == 0 || m.ProtectedUntil < z.until) {
			z.until = m.ProtectedUntil
		}
	}
	return zones
}

// fullest is the zone with the most tasks of which one can be stopped, emptiest the one with the fewest where one can be placed;
// nil if there is none. The first one of several.
func fullest(zones []*zone) (best *zone) {
	for _, z := range zones {
		if len(z.free) > 0 && (best == nil || z.tasks > best.tasks) {
			best = z
		}
	}
	return best
}

func emptiest(zones []*zone) (best *zone) {
	for _, z := range zones {
		if z.open && (best == nil || z.tasks < best.tasks) {
			best = z
		}
	}
	return best
}

// protectedFrom reports whether none of the tasks that should be stopped can be, so that only those are left that were started.
func protectedFrom(zones []*zone) bool {
	most := 0
	for _, z := range zones {
		most = max(most, z.tasks)
	}
	from, to := fullest(zones), emptiest(zones)
	return from == nil || from.tasks < most && to != nil && from.tasks <= to.tasks
}

// attend ends the moving of tasks when something else is going on, or one found no place [D].
func (r *run) attend(c *crew) {
	if r.service.Rebalancing != 0 && (!r.canMove(c) || r.Now < r.MoveAt) {
		r.service.Rebalancing = 0
		r.happen(Happening{Type: "INFO", Name: "SERVICE_REBALANCING_STOPPED"})
	}
}

// moveOut stops tasks in the fullest zones for those that were started in the emptiest and are healthy now. It returns how many
// of the kept ones are just too many: none while tasks are being moved.
func (r *run) moveOut(c *crew, surplus int) int {
	if r.service.Rebalancing == 0 {
		return surplus
	}
	zones, ready := r.byZone(c), c.keptWell-c.desired
	on := map[string]int{}
	for _, m := range c.kept {
		on[m.Instance]++
	}
	for ; surplus > 0; surplus-- {
		if protectedFrom(zones) {
			r.service.Rebalancing = 0
			r.happen(Happening{Type: "INFO", Name: "SERVICE_REBALANCING_STOPPED"})
			break
		}
		if ready--; ready < 0 {
			break
		}
		z := fullest(zones)
		m := slices.MaxFunc(z.free, func(a, b *member) int { return on[a.Instance] - on[b.Instance] })
		on[m.Instance]--
		z.tasks--
		z.free = slices.DeleteFunc(z.free, func(x *member) bool { return x == m })
		z.moved = append(z.moved, m)
	}
	for _, z := range zones {
		if len(z.moved) == 0 {
			continue
		}
		r.stopAll(z.moved, "Availability-zone rebalancing initiated by (deployment "+c.name()+")")
		r.out.Stops[len(r.out.Stops)-1].Rebalances = true
		n := len(z.moved)
		c.live, c.well, c.keptWell = c.live-n, c.well-n, c.keptWell-n
	}
	c.kept = slices.DeleteFunc(c.kept, func(m *member) bool { return m.phase == stopping })
	if r.service.Rebalancing != 0 {
		return 0
	}
	return surplus
}

// rebalance starts tasks in the emptiest zones, as long as the fullest one has at least two more, when the service is steady and
// nothing is on its way up or down.
func (r *run) rebalance(c *crew) {
	s := &r.service
	if s.Steady == 0 || c.live != c.desired || c.keptWell != c.desired || c.started > 0 || len(r.out.Stops) > 0 || !r.canMove(c) {
		return
	}
	for _, m := range r.primary.members {
		if m.phase == stopping {
			return
		}
	}
	if r.Now < r.MoveAt {
		r.wakeAt(r.MoveAt)
		return
	}
	zones := r.byZone(c)
	words := inZones(zones)
	planned := false
	for {
		from, to := fullest(zones), emptiest(zones)
		if from == nil || to == nil || from.tasks-to.tasks < 2 {
			break
		}
		from.tasks, from.free, to.tasks, to.moves, planned = from.tasks-1, from.free[1:], to.tasks+1, to.moves+1, true
	}
	for _, z := range zones {
		if to := emptiest(zones); to != nil && z.tasks-to.tasks >= 2 {
			r.wakeAt(z.until)
		}
	}
	switch {
	case !planned && s.Rebalancing != 0:
		s.Rebalancing = 0
		r.say("is AZ balanced with %s.", words)
		r.happen(Happening{Type: "INFO", Name: "SERVICE_REBALANCING_COMPLETED"})
	case !planned:
		return
	case s.Rebalancing == 0:
		s.Rebalancing = r.Now
		r.repeat(nil, "is not AZ balanced with %s. AZ Rebalancing in progress.", words)
		r.happen(Happening{Type: "INFO", Name: "SERVICE_REBALANCING_STARTED"})
	}
	if at := c.to.retryAt(); r.Now < at {
		r.wakeAt(at)
		return
	}
	for _, z := range zones {
		if n := min(z.moves, c.maximum-c.live); n > 0 {
			c.live, c.started = c.live+n, c.started+n
			r.out.Starts = append(r.out.Starts, Start{Revision: c.to.id, Count: n, Zone: z.name, Rebalances: true})
		}
	}
}

// inZones is how many tasks are where, in words.
func inZones(zones []*zone) string {
	var list []string
	for _, z := range zones {
		list = append(list, sprintf("%d tasks in %s", z.tasks, z.name))
	}
	return strings.Join(list, ", ")
}
