package deployment

import (
	"cmp"
	"fmt"

	"github.com/roadstead/roadstead/model"
)

// repetition is how long the message of a steady state is not said again (SEMANTICS §8.1) [D].
const repetition = 6 * 60 * 60 * 1000

// steady reports whether the service has what it wants (SEMANTICS §8.1): one deployment, as many tasks as are desired, all
// healthy, none on a DRAINING instance. A task more, that is being moved between zones, does no harm [I].
func (r *run) steady(c *crew) bool {
	whole := c.live == c.desired && c.well == c.desired && c.started == 0 && !r.short()
	if r.service.Steady != 0 && r.service.Rebalancing != 0 {
		whole = c.live >= c.desired && c.well >= c.desired
	}
	return whole && c.leaving == 0 && r.alone()
}

// short reports whether more tasks are to be stopped than will be.
func (r *run) short() bool {
	n := len(r.out.Counted)
	for _, s := range r.out.Stops {
		n += s.Count
	}
	return r.Limit > 0 && n > r.Limit
}

// settled takes note of whether the service is in its steady state, and says so when it has reached it. It is said again after
// six hours, but only if somebody looks: nobody is woken for that.
func (r *run) settled(now bool) {
	switch s := &r.service; {
	case !now:
		s.Steady = 0
	case s.Steady == 0:
		s.Steady = r.Now
		r.say("has reached a steady state.")
		r.happen(Happening{Type: "INFO", Name: "SERVICE_STEADY_STATE"})
	case r.Now-s.Steady >= repetition:
		r.repeat(nil, "has reached a steady state.")
	}
}

// blockers says what the service waits for.
func (r *run) blockers(c *crew) []string {
	d := r.primary.deployment
	if r.halted() {
		return []string{sprintf("Deployment %s has ended without success, and no other takes its place: %s", d.Name(), cmp.Or(d.StateReason, d.RolloutReason))}
	}
	out := r.waiting(c)
	for _, g := range r.groups {
		if g == r.primary || g.gone() {
			continue
		}
		n := 0
		for _, m := range g.members {
			if m.phase != ended {
				n++
			}
		}
		out = append(out, sprintf("To go: %s of %s.", tasks(n), model.DeploymentName(g.id)))
	}
	if failures, _ := d.StartTrouble(); d.LastFailure != "" && failures > 0 {
		out = append(out, sprintf("Failed attempts in a row to start tasks of %s: %d, the last one: %s", d.Name(), failures, d.LastFailure))
	}
	return out
}

// waiting says what the crew's tasks are waited for.
func (r *run) waiting(c *crew) (out []string) {
	add := func(n int, what string) {
		if n > 0 {
			out = append(out, sprintf("%s: %s of %s.", what, tasks(n), c.name()))
		}
	}
	add(c.desired-len(c.kept), "Missing")
	add(c.kept.count(pending), "Not RUNNING yet")
	add(c.kept.count(warming), "RUNNING, but not healthy yet")
	sick, leaving := 0, 0
	for _, m := range c.out {
		switch {
		case m.group != c.to:
		case m.phase == unhealthy:
			sick++
		case m.Leaving:
			leaving++
		}
	}
	add(sick, "Unhealthy, to be replaced")
	add(leaving, "On DRAINING instances, to be replaced")
	return out
}

func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// tasks is a number of tasks in words.
func tasks(n int) string {
	if n == 1 {
		return "1 task"
	}
	return sprintf("%d tasks", n)
}
