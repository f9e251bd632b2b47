package deployment

import (
	"slices"
	"strings"

	"github.com/roadstead/roadstead/model"
)

const zoneAttribute = "attribute:ecs.availability-zone"

// canMove reports whether tasks may be moved between availability zones (SEMANTICS §8.10) [D]: the service asks for it, its
// bounds, strategy and constraints do not speak against it, and nothing else is going on.
func (r *run) canMove(p *pool) bool {
	set := &r.service.Settings
	return set.AvailabilityZoneRebalancing == "ENABLED" && r.service.Scheduling == model.SchedulingReplica && len(r.Zones) > 1 &&
		p.maximum > p.desired && !r.tied(p) &&
		r.primary.deployment.Rollout == model.RolloutCompleted && len(p.out)+len(p.off) == 0 && r.alone()
}

// tied reports whether the service's tasks are bound to zones by something else than the wish that they be spread.
func (r *run) tied(p *pool) bool {
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
	return slices.ContainsFunc(p.kept, func(m *member) bool { return m.LaunchType == "EXTERNAL" })
}

// zone is an availability zone as rebalancing sees it.
type zone struct {
	name  string
	tasks int
	free  members      // healthy ones that may be stopped
	until model.Millis // when the first of the others may be
	moves int          // tasks to be started or stopped there
	open  bool         // tasks can be placed there
}

// byZone counts the tasks that are kept, in the zones where tasks can be placed and in those where some are.
func (r *run) byZone(p *pool) []*zone {
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
	for _, m := range p.kept {
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
		if len(z.free) > z.moves && (best == nil || z.tasks > best.tasks) {
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

// attend ends the moving of tasks when something else is going on.
func (r *run) attend(p *pool) {
	if r.service.Rebalancing != 0 && !r.canMove(p) {
		r.service.Rebalancing = 0
		r.happen(Happening{Type: "INFO", Name: "SERVICE_REBALANCING_STOPPED"})
	}
}

// moving stops tasks in the fullest zones for those that were started in the emptiest and are healthy now. It returns false if
// no tasks are being moved, so that surplus ones are just too many.
func (r *run) moving(p *pool) bool {
	if r.service.Rebalancing == 0 {
		return false
	}
	zones, count := r.byZone(p), min(len(p.kept), p.keptWell)-p.desired
	if protectedFrom(zones) {
		r.service.Rebalancing = 0
		r.happen(Happening{Type: "INFO", Name: "SERVICE_REBALANCING_STOPPED"})
		return false
	}
	for range count {
		if z := fullest(zones); z != nil {
			z.moves, z.tasks = z.moves+1, z.tasks-1
		}
	}
	for _, z := range zones {
		if z.moves == 0 {
			continue
		}
		r.stop(z.free, z.moves, "Availability-zone rebalancing initiated by (deployment "+p.name()+")")
		r.out.Stops[len(r.out.Stops)-1].Rebalances = true
		p.live, p.well, p.keptWell = p.live-z.moves, p.well-z.moves, p.keptWell-z.moves
	}
	return true
}

// rebalance starts tasks in the emptiest zones, as long as the fullest one has at least two more, when the service is steady and
// nothing is on its way up or down.
func (r *run) rebalance(p *pool) {
	s := &r.service
	if s.Steady == 0 || p.live != p.desired || p.keptWell != p.desired || p.started > 0 || len(r.out.Stops) > 0 || !r.canMove(p) {
		return
	}
	for _, m := range r.primary.members {
		if m.phase == stopping {
			return
		}
	}
	zones := r.byZone(p)
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
		r.say("is not AZ balanced with %s. AZ Rebalancing in progress.", words)
		r.happen(Happening{Type: "INFO", Name: "SERVICE_REBALANCING_STARTED"})
	}
	if at := p.to.retryAt(); r.Now < at {
		r.wakeAt(at)
		return
	}
	for _, z := range zones {
		if n := min(z.moves, p.maximum-p.live); n > 0 {
			p.live, p.started = p.live+n, p.started+n
			r.out.Starts = append(r.out.Starts, Start{Revision: p.to.id, Count: n, Zone: z.name, Rebalances: true})
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
